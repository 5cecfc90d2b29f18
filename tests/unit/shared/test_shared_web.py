from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, ValidationError
from tests.support.tokens import TestIssuer

from npms_shared.auth.tokens import Principal
from npms_shared.web.app import create_app
from npms_shared.web.pages import decode_cursor, encode_cursor, text_in
from npms_shared.web.principals import require
from npms_shared.web.problems import MEDIA_TYPE, Problem
from npms_shared.web.schemas import Energy, Instant, Line, Money, Schema, Zone


class Tired(Exception):
    pass


class Order(BaseModel):
    amount: Money


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TestIssuer:
    return TestIssuer(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture
async def client(issuer: TestIssuer) -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter(prefix="/v1")

    @router.post("/orders", operation_id="order")
    async def order(
        body: Order, caller: Annotated[Principal, Depends(require("customer", "admin"))]
    ) -> dict[str, object]:
        return {"micro": body.amount.micro, "who": caller.subject, "customer": caller.customer_id}

    @router.get("/tired", operation_id="tire")
    async def tire() -> None:
        raise Tired

    @router.get("/broken", operation_id="break")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    app = create_app(
        service="example",
        description="",
        edge=issuer.edge(),
        routers=[router],
        errors={
            Tired: lambda _fault: Problem(503, "tired", "Later.", headers={"Retry-After": "5"})
        },
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


def _order(amount: str) -> dict[str, object]:
    return {"amount": {"amount": amount, "currency": "KES"}}


async def test_a_good_token_gets_in(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    answer = await client.post(
        "/v1/orders", json=_order("1.5"), headers=issuer.headers("customer", customer_id=7)
    )
    assert answer.json() == {"micro": 1_500_000, "who": "somebody", "customer": 7}
    assert answer.headers["traceparent"].startswith("00-")


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"lifetime_s": -10}, 401),
        ({"iss": "elsewhere"}, 401),
        ({"aud": "elsewhere"}, 401),
        ({"roles": ["king"]}, 401),
        ({"roles": ["partner"]}, 403),
    ],
)
async def test_other_tokens_do_not(
    client: httpx.AsyncClient, issuer: TestIssuer, claims: dict[str, object], status: int
) -> None:
    answer = await client.post(
        "/v1/orders", json=_order("1"), headers=issuer.headers("customer", **claims)
    )
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)


async def test_no_token_and_a_foreign_key_are_refused(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    assert (await client.post("/v1/orders", json=_order("1"))).status_code == 401
    foreign = TestIssuer(tmp_path).headers("customer")
    answer = await client.post("/v1/orders", json=_order("1"), headers=foreign)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_wrong_field_is_pointed_at(client: httpx.AsyncClient, issuer: TestIssuer) -> None:
    answer = await client.post(
        "/v1/orders", json=_order("1.1234567"), headers=issuer.headers("customer")
    )
    document = answer.json()
    assert (answer.status_code, document["code"]) == (422, "invalid_request")
    assert document["errors"][0]["pointer"] == "/amount/amount"
    assert document["errors"][0]["code"] == "too_many_decimals"
    assert document["trace_id"] in answer.headers["traceparent"]


async def test_domain_errors_unknown_paths_and_failures_are_problems(
    client: httpx.AsyncClient,
) -> None:
    tired = await client.get("/v1/tired")
    assert (tired.status_code, tired.headers["retry-after"], tired.json()["code"]) == (
        503,
        "5",
        "tired",
    )
    assert (await client.get("/v1/nowhere")).json()["code"] == "not_found"
    broken = await client.get("/v1/broken")
    assert broken.status_code == 500
    assert "secret detail" not in broken.text


def test_cursors_come_back_and_forgeries_are_refused() -> None:
    assert decode_cursor(encode_cursor(12, "x")) == [12, "x"]
    for forged in ("@@@", "bm9uc2Vuc2U", ""):
        with pytest.raises(Problem):
            decode_cursor(forged)


class Form(Schema):
    number: int = 0
    flag: bool = False
    name: Line = "x"
    at: Instant | None = None
    names: list[str] = Field(default_factory=list)
    anything: dict[str, Any] = Field(default_factory=dict)
    zone: Zone = "UTC"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"number": True}, "unexpected_boolean"),
        ({"name": "a\0b"}, "unreadable_text"),
        ({"name": "\ud800"}, "unreadable_text"),
        ({"names": ["good", "\0"]}, "unreadable_text"),
        ({"name": "zero\u200bwidth"}, "unreadable_text"),
        ({"name": "turned\u202eround"}, "unreadable_text"),
        ({"names": ["turned\u202eround"]}, "unreadable_text"),
        ({"anything": {"a": [{"b\0": 1}]}}, "unreadable_text"),
        ({"name": "two\nlines"}, "string_pattern_mismatch"),
        ({"name": "  "}, "string_too_short"),
        ({"at": "2026-01-01T00:00:00"}, "timezone_aware"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "unlikely_time"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "unlikely_time"),
        ({"colour": "red"}, "extra_forbidden"),
    ],
)
def test_what_no_form_takes_is_refused_with_a_code(given: dict[str, object], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Form.model_validate(given)
    [error] = refused.value.errors()
    assert getattr(error.get("ctx", {}).get("error"), "code", error["type"]) == code


def test_what_is_right_is_taken_without_spaces_around_it() -> None:
    form = Form.model_validate({"number": 1, "flag": True, "name": " Amina ", "names": ["a"]})
    assert (form.number, form.flag, form.name) == (1, True, "Amina")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("e\u0301 1", "\u00e9 1"),
        ("FT\u00a0 26\u2003045", "FT 26 045"),
        ("\u2764\ufe0f", "\u2764"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
    ],
)
def test_what_looks_alike_is_one_text(given: str, taken: str) -> None:
    assert Form.model_validate({"name": given}).name == taken


@pytest.mark.parametrize("zone", ["Africa/Nairobi", "America/Argentina/Ushuaia", "UTC"])
def test_zones_are_places(zone: str) -> None:
    assert Form.model_validate({"zone": zone}).zone == zone


@pytest.mark.parametrize(
    "zone",
    [
        "Factory",
        "localtime",
        "posixrules",
        "EST",
        "Etc/GMT+3",
        "US/Pacific",
        "GMT0",
        "../x",
        "a" * 300,
    ],
)
def test_zones_that_are_no_places_are_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="no region"):
        Form.model_validate({"zone": zone})


def test_a_cursor_with_half_a_character_is_refused() -> None:
    for text in ("\ud800", "a\0b"):
        with pytest.raises(Problem):
            text_in(encode_cursor(text))


def test_energy_is_exact_to_the_watt_hour() -> None:
    assert Energy(value="1.25").wh == 1250
    assert Energy.of(1).value == "0.001"
    for wrong in ("0.0001", "NaN", "lots", "Infinity", "1e999999", "1_0", "9" * 16, "9" * 30):
        with pytest.raises(ValueError, match=r"no number|decimals|register"):
            Energy(value=wrong)
