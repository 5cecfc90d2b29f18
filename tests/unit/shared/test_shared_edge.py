"""What a client may do to a service's REST interface, whoever it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from prometheus_client import REGISTRY, generate_latest
from tests.support.tokens import TestIssuer

from npms_shared.auth.tokens import Principal
from npms_shared.web.app import create_app
from npms_shared.web.principals import require
from npms_shared.web.schemas import Schema

Open = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
ROUTE = "/v1/things/{number}"


class Thing(Schema):
    name: str = "x"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TestIssuer:
    return TestIssuer(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture
def opened(issuer: TestIssuer) -> Open:
    """`async with opened(body_bytes=…) as client`: an application with those limits."""
    caller = Annotated[Principal, Depends(require("customer", "operator"))]
    router = APIRouter(prefix="/v1")

    @router.put("/things/{number}", operation_id="put_thing")
    async def put(number: int, body: Thing, _: caller) -> None:
        pass

    @router.get("/things/{number}", operation_id="get_thing")
    async def get(number: int) -> None:
        raise RuntimeError("secret detail")

    @asynccontextmanager
    async def client(**limits: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(
            service="example",
            description="",
            edge=issuer.edge(**limits),
            routers=[router],
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            yield http

    return client


async def test_invented_methods_make_no_metric_labels(opened: Open) -> None:
    async with opened() as client:
        for number in range(50):
            assert (await client.request(f"INVENTED{number}", "/v1/things/1")).status_code == 405
            assert (await client.request(f"INVENTED{number}", "/nowhere")).status_code == 404
    assert "INVENTED" not in generate_latest().decode()


async def test_unhandled_errors_are_counted_measured_and_traced(opened: Open) -> None:
    labels = {"route": ROUTE, "method": "GET", "status": "500"}
    failures, measured = "npms_http_unhandled_errors_total", "npms_http_request_duration_seconds"

    def counted() -> tuple[float, float]:
        return (
            REGISTRY.get_sample_value(failures, {"route": ROUTE}) or 0,
            REGISTRY.get_sample_value(f"{measured}_count", labels) or 0,
        )

    before = counted()
    async with opened() as client:
        answer = await client.get("/v1/things/1")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret detail" not in answer.text
    assert answer.json()["trace_id"] in answer.headers["traceparent"]
    assert counted() == (before[0] + 1, before[1] + 1)


async def test_unknown_keys_are_told_a_hundred_at_most_and_the_rest_counted(
    opened: Open, issuer: TestIssuer
) -> None:
    headers = issuer.headers("operator")
    async with opened() as client:
        body = {f"key{number}": 1 for number in range(5_000)}
        answer = await client.put("/v1/things/1", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert (len(answer.json()["errors"]), answer.json()["further_errors"]) == (100, 4_900)
        body = {f"{number:05}": 1 for number in range(80_000)}
        answer = await client.put("/v1/things/1", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
        assert len(answer.content) < 1_000


async def test_bodies_of_customers_and_strangers_are_smaller(
    opened: Open, issuer: TestIssuer
) -> None:
    body = {"name": "x" * 2_000}
    callers = {
        200: issuer.headers("operator"),
        413: issuer.headers("customer", customer_id=1),
    }
    async with opened(small_body_bytes=1_000) as client:
        for status, headers in callers.items():
            answer = await client.put("/v1/things/1", json=body, headers=headers)
            assert answer.status_code == status
        stranger = await client.put("/v1/things/1", json=body)
    assert stranger.json()["code"] == "request_too_large"


async def test_a_body_that_never_ends_is_given_up(opened: Open, issuer: TestIssuer) -> None:
    async def drops() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with opened(body_timeout_s=0.05) as client:
        answer = await client.put(
            "/v1/things/1", content=drops(), headers=issuer.headers("operator")
        )
    assert (answer.status_code, answer.json()["code"]) == (408, "request_too_slow")
    assert answer.headers["connection"] == "close"


async def test_a_wrong_method_is_told_all_that_its_path_takes(opened: Open) -> None:
    async with opened() as client:
        answer = await client.post("/v1/things/1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")


async def test_no_answer_names_a_host_that_the_request_named(opened: Open) -> None:
    async with opened() as client:
        answer = await client.get("/v1/things/1/", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "evil.example" not in f"{answer.headers} {answer.text}"
