"""What a client may do to a service's REST interface, whoever it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from prometheus_client import REGISTRY, generate_latest
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_shared.auth.tokens import Principal
from npms_shared.web.app import create_app
from npms_shared.web.health import internal_app
from npms_shared.web.principals import require
from npms_shared.web.rates import COSTLY, Rate, address_of
from npms_shared.web.schemas import Schema
from npms_shared.web.server import make_server

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

    @router.post("/orders", operation_id="order", dependencies=[COSTLY])
    async def order(_: caller) -> None:
        pass

    @asynccontextmanager
    async def client(**limits: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(
            service="example",
            description="",
            edge=issuer.edge(**limits),
            routers=[router],
        )
        async with _client(app) as http:
            yield http

    return client


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


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


async def test_metrics_docs_and_reasons_are_on_the_internal_port_only(issuer: TestIssuer) -> None:
    async def broken() -> None:
        raise RuntimeError("10.0.0.7 refuses")

    public = create_app(service="example", description="", edge=issuer.edge(), routers=[])
    public.state.checks["database"] = broken
    async with _client(public) as client:
        for path in ("/metrics", "/docs", "/openapi.json", "/redoc", "/health/startup"):
            assert (await client.get(path)).status_code == 404, path
        assert (await client.get("/health/live")).json() == {"status": "live"}
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "not_ready"})
    async with _client(internal_app("example", public.state.checks)) as client:
        assert "npms_http_request_duration_seconds" in (await client.get("/metrics")).text
        for path in ("/health/ready", "/health/startup"):
            told = await client.get(path)
            assert told.status_code == 503
            assert told.json()["checks"] == {"database": "RuntimeError: 10.0.0.7 refuses"}


async def test_docs_are_there_where_development_asks_for_them(issuer: TestIssuer) -> None:
    edge = replace(issuer.edge(), docs=True)
    app = create_app(service="example", description="", edge=edge, routers=[])
    async with _client(app) as client:
        assert (await client.get("/docs")).status_code == 200
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "NPMS example"


@asynccontextmanager
async def _listening(app: Any, **options: Any) -> AsyncIterator[int]:
    """The port of a real server on loopback."""
    server = make_server(app, host="127.0.0.1", port=0, **options)
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def test_headers_that_never_end_are_given_up(issuer: TestIssuer) -> None:
    """Sent drop by drop, on a new connection and after an answer."""
    app = create_app(service="example", description="", edge=issuer.edge(), routers=[])
    whole = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    async with _listening(app, header_timeout_s=0.2) as port:
        for before in (b"", whole):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(before + whole[:-2])
            said = await asyncio.wait_for(reader.read(), 10)
            assert said.count(b"HTTP/1.1 200") == before.count(b"GET")
            writer.close()


async def test_an_address_is_believed_of_trusted_proxies_only(issuer: TestIssuer) -> None:
    router = APIRouter(prefix="/v1")

    @router.get("/address", operation_id="show_address")
    async def address(request: Request) -> str:
        return request.client.host if request.client else ""

    app = create_app(service="example", description="", edge=issuer.edge(), routers=[router])
    for trusted, seen in (("", "127.0.0.1"), ("127.0.0.0/8", "192.0.2.7")):
        async with _listening(app, trusted_proxies=trusted) as port, httpx.AsyncClient() as http:
            url = f"http://127.0.0.1:{port}/v1/address"
            answer = await http.get(url, headers={"X-Forwarded-For": "192.0.2.7"})
        assert answer.json() == seen


async def test_too_many_requests_in_flight_are_told_to_come_again(issuer: TestIssuer) -> None:
    router, free = APIRouter(prefix="/v1"), asyncio.Event()

    @router.get("/slow", operation_id="be_slow")
    async def slow() -> None:
        await free.wait()

    edge = issuer.edge(in_flight=2)
    app = create_app(service="example", description="", edge=edge, routers=[router])
    async with _client(app) as client:
        waiting = [asyncio.create_task(client.get("/v1/slow")) for _ in range(2)]

        async def refused() -> httpx.Response | None:
            answer = await client.get("/v1/nowhere")
            return answer if answer.status_code == 503 else None

        answer = await until(refused)
        assert answer is not None
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("too_busy", "1")
        assert (await client.get("/health/live")).status_code == 200
        free.set()
        assert {(await one).status_code for one in waiting} == {200}
        assert (await client.get("/v1/nowhere")).status_code == 404


async def test_what_costs_money_is_limited_by_caller_and_by_address(
    opened: Open, issuer: TestIssuer
) -> None:
    def by(subject: str, role: str = "customer") -> dict[str, str]:
        return issuer.headers(role, subject=subject)

    limits = {"costly_per_minute_and_caller": 2, "costly_per_minute_and_address": 5}
    async with opened(**limits) as client:

        async def asked(headers: dict[str, str]) -> httpx.Response:
            return await client.post("/v1/orders", headers=headers)

        anna = [(await asked(by("anna"))).status_code for _ in range(3)]
        assert anna == [200, 200, 429]
        assert [(await asked(by("ben"))).status_code for _ in range(2)] == [200, 200]
        refused = await asked(by("carol"))
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await asked(by("another-service", "service"))).status_code == 403
        assert (await client.put("/v1/things/1", json={}, headers=by("anna"))).status_code == 200


async def test_bad_tokens_of_an_address_are_limited_and_good_ones_are_not(
    opened: Open, issuer: TestIssuer
) -> None:
    async with opened(refused_tokens_per_minute_and_address=3) as client:
        bad = {"Authorization": "Bearer a.b.c"}
        seen = [(await client.post("/v1/orders", headers=bad)).status_code for _ in range(5)]
        assert seen == [401, 401, 401, 429, 429]
        good = await client.post("/v1/orders", headers=issuer.headers("operator"))
        assert good.status_code == 200


def test_a_rate_comes_back_and_forgets_whom_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("npms_shared.web.rates.time.monotonic", lambda: now)
    monkeypatch.setattr("npms_shared.web.rates.MOST_KEYS", 2)
    rate = Rate(per_minute=6)
    assert [rate.wait_s("a") for _ in range(7)] == [0] * 6 + [10]
    now = 10.0
    assert [rate.wait_s("a"), rate.wait_s("a")] == [0, 10]
    for key in ("b", "c"):
        assert rate.wait_s(key) == 0
    assert rate.wait_s("a") == 0, "it was forgotten for those who came later"


def test_a_network_of_ipv6_is_one_address() -> None:
    def seen(host: str) -> str:
        return address_of({"client": (host, 1)})

    assert seen("2001:db8:1:2:3::4") == seen("2001:db8:1:2::5") != seen("2001:db8:1:3::4")
    assert seen("192.0.2.7") != seen("192.0.2.8")
