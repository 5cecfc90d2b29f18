"""What people change over REST is noted: by whom, why, what it was and is."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from tests.support.tariff import (
    TariffHarness,
    agree,
    example,
    opened,
    put_in_force,
    readings,
)

from npms_shared.web.audit_trail_api import AuditEntryResponse

OF_EVERY_SERVICE = ("/v1/parked-messages", "/v1/unroutable-messages")
CHANGES_NOTHING = {"quote_units", "simulate_plan", "preview_correction"}
WHY = {"reason": "Seen on site"}
FROM, TO = "2026-11-02T08:00:00+03:00", "2026-11-02T12:00:00+03:00"
READINGS = {
    "kind": "readings",
    "installation_id": 1,
    "from": FROM,
    "to": TO,
    "registers": [{"at": "2026-11-02T10:00:00+03:00", "register": {"value": "1.100"}}],
    "reason": "Read on site",
}
FLAT = "/v1/plans/household-flat/versions"
FLAT_FACTS = {"valid_from": ANY, "checksum": ANY, "created_by": "amina"}


def version() -> dict[str, Any]:
    return {key: example("flat")[key] for key in ("valid_from", "document")}


@dataclass(frozen=True, slots=True)
class Write:
    """A call by Amina, and what it leaves; `{correction}` and `{hold}` are filled in."""

    operation: str
    method: str
    path: str
    body: dict[str, Any] | None
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    status: int = 200
    reason: str = ""


WRITES = [
    Write(
        "create_plan", "POST", "/v1/plans", example("inclining-blocks"),
        "plan_created", "plan:household-blocks", None,
        {"name": ANY, "commodity": "electricity", "currency": "KES", **FLAT_FACTS}, 201,
    ),
    Write(
        "add_plan_version", "POST", FLAT, version(),
        "plan_version_added", "plan:household-flat@3", None, FLAT_FACTS, 201,
    ),
    Write(
        "replace_plan_draft", "PUT", f"{FLAT}/2", version(),
        "plan_draft_replaced", "plan:household-flat@2",
        {**FLAT_FACTS, "created_by": "baraka"}, FLAT_FACTS,
    ),
    Write(
        "withdraw_plan_draft", "DELETE", f"{FLAT}/2", None,
        "plan_draft_withdrawn", "plan:household-flat@2",
        {"state": "draft"}, {"state": "withdrawn"}, 204,
    ),
    Write(
        "activate_plan_version", "POST", f"{FLAT}/2/activate", None,
        "plan_activated", "plan:household-flat@2",
        {"state": "draft", "created_by": "baraka"},
        {"state": "activated", "plan_version_id": ANY, "valid_from": ANY, "checksum": ANY},
    ),
    Write(
        "release_billing_hold", "POST", "/v1/billing-holds/{hold}/release", WHY,
        "billing_hold_released", "billing_hold:{hold}",
        {"released": False}, {"released": True, "installation_id": 2}, reason="Seen on site",
    ),
    Write(
        "request_correction", "POST", "/v1/corrections", READINGS,
        "correction_requested", "correction:{made}", None,
        {
            "state": "requested", "kind": "readings",
            "plan_version_id": None, "installation_id": 1,
        }, 201, "Read on site",
    ),
    Write(
        "approve_correction", "POST", "/v1/corrections/{correction}/approve", None,
        "correction_approved", "correction:{correction}",
        {"state": "requested", "requested_by": "baraka"}, {"state": "approved"},
    ),
    Write(
        "reject_correction", "POST", "/v1/corrections/{correction}/reject", WHY,
        "correction_rejected", "correction:{correction}",
        {"state": "requested", "requested_by": "baraka"}, {"state": "rejected"},
        reason="Seen on site",
    ),
]  # fmt: skip


def test_every_route_that_writes_is_listed(app: FastAPI) -> None:
    writing = {
        route.operation_id
        for route in app.router.routes
        if isinstance(route, APIRoute)
        and not route.methods <= {"GET", "HEAD"}
        and not route.path.startswith(OF_EVERY_SERVICE)
    }
    assert writing - CHANGES_NOTHING == {write.operation for write in WRITES}


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.action)
async def test_a_write_is_noted(
    client: httpx.AsyncClient, second: dict[str, str], harness: TariffHarness, write: Write
) -> None:
    words = await prepare(client, second, harness)
    path = write.path.format_map(words)
    headers = {"If-Match": words["seen"]} if path.endswith("/approve") else {}
    if path.endswith("/activate"):
        answer = await agree(client, path.removesuffix("/activate"))
    else:
        answer = await client.request(write.method, path, json=write.body, headers=headers)
    assert answer.status_code == write.status, answer.text
    if write.operation == "request_correction":
        words["made"] = answer.json()["correction_id"]
    subject = write.subject.format_map(words)
    [entry] = await entries(client, action=write.action, by="amina", subject=subject)
    assert (entry.by_roles, entry.on_behalf_of) == (["operator"], "")
    assert entry.reason == write.reason
    assert (entry.before, entry.after) == (write.before, write.after)
    assert entry.at == harness.clock.now()


async def test_what_is_refused_is_not_noted(
    client: httpx.AsyncClient, second: dict[str, str], harness: TariffHarness
) -> None:
    words = await prepare(client, second, harness)
    known = await entries(client)
    place = f"/v1/corrections/{words['correction']}"
    for answer in (
        await client.post("/v1/plans", json=example("flat")),
        await client.put(f"{FLAT}/1", json=version()),
        await client.delete(f"{FLAT}/9"),
        await agree(client, f"{FLAT}/2", headers=second),
        await agree(client, place, "approve", second),
        await client.post(f"{place}/reject"),
        await client.post("/v1/billing-holds/99/release", json=WHY),
    ):
        assert answer.status_code >= 400
    assert await entries(client) == known


async def prepare(
    client: httpx.AsyncClient, second: dict[str, str], harness: TariffHarness
) -> dict[str, str]:
    """A plan with a draft of Baraka's, his request of a correction, and a hold."""
    await put_in_force(client, second, example("flat"))
    await client.post(FLAT, json=version(), headers=second)
    for installation_id in (1, 2):
        await harness.hear(opened(installation_id))
    await harness.read(readings((1, 3600 * 24, 3000), (2, 60, 2000), (2, 120, 1000)))
    made = await client.post("/v1/corrections", json=READINGS, headers=second)
    correction = made.json()["correction_id"]
    shown = await client.get(f"/v1/corrections/{correction}")
    (hold,) = (await client.get("/v1/billing-holds")).json()["items"]
    return {
        "correction": correction,
        "seen": shown.headers["ETag"],
        "hold": str(hold["billing_hold_id"]),
    }


async def entries(client: httpx.AsyncClient, **filters: str) -> list[AuditEntryResponse]:
    page = await client.get("/v1/audit-trail", params=filters)
    return [AuditEntryResponse.model_validate(item) for item in page.json()["items"]]
