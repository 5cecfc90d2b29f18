"""What may be asked only so often, and what a slow reader holds."""

from typing import Any

import httpx
from tests.integration.rest.five import PLAN_CORRECTION, SERVICES, Five

from npms_shared.ids import new_id
from npms_shared.web.rates import COSTLY

LIMITED = {
    *("order_top_up", "redeem_voucher", "accept_emergency_credit"),
    *("open_ticket", "write_ticket_message", "read_meter", "import_readings"),
    *("replace_contacts", "confirm_contact", "resend_contact_code"),
    *("get_month_statement", "export_month_statement_csv", "export_month_statement_pdf"),
    *("export_usage_csv", "export_usage_green_button", "get_insights"),
    *("simulate_plan", "preview_correction", "foresee_cuts", "foresee_cuts_of_policy"),
}


def test_what_costs_money_works_or_can_be_guessed_is_limited(five: Five) -> None:
    routes = [route for name in SERVICES for route in five.services[name].app.router.routes]
    limited = {r.operation_id for r in routes if COSTLY in getattr(r, "dependencies", [])}
    assert limited == LIMITED


async def test_exports_hold_no_connection_while_their_client_reads(five: Five) -> None:
    service = five.services["tariff"]
    held: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def reading(message: Any) -> None:
            if message["type"] == "http.response.body":
                held.append(service.database.engine.pool.checkedout())
            await send(message)

        await service.app(scope, receive, reading)

    span = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-03T00:00:00Z"}
    usage = f"/v1/accounts/{five.theirs}/usage"
    headers = {**five.as_staff(), "Idempotency-Key": str(new_id())}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tariff") as client:
        for suffix in (".csv", ".xml"):
            answer = await client.get(usage + suffix, params=span, headers=headers)
            assert answer.status_code == 200, answer.text
        previewed = await client.post(
            "/v1/correction-previews", json=PLAN_CORRECTION, headers=headers
        )
        assert previewed.status_code == 200, previewed.text
    assert held
    assert not any(held)
