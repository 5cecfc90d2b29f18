"""Whatever is asked wrongly, of whichever service: a problem document that says so, never a 500."""

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any

import httpx
import pytest
from tests.integration.rest.five import SERVICES, Five, Operation, bodies, operations

from npms_shared.web.limits import Limits
from npms_shared.web.problems import MEDIA_TYPE, ProblemDocument

LARGEST_BODY = Limits().body_bytes
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("customer", "operator", "admin", "partner", "service")
UNSIGNED = {"receive_webhook"}
"""Its callers prove themselves by a signature instead of a token."""
NOT_JSON_BODIES = {"import_readings"}
"""Take a file; what is wrong in it is tested where it is read."""
OPEN_TO_ALL_ROLES = {"list_payments", "get_payment"}
"""They show only what is the caller's."""
JSON = {"Content-Type": "application/json"}
NOT_JSON = (b"{", b"\xff", b"[" * 100_000, b'"text"', b"[]", b"null", b"NaN", b'{"a": 1e999}')
ODD_IDS = ("-1", "0", "9" * 25, "abc", "%00", "%C3%A9", "a" * 300)
ODD_QUERIES = ("-1", "0", "9" * 25, "abc", "", "\0", "é", "1e3")
ODD_CURSORS = tuple(
    base64.urlsafe_b64encode(raw).decode().rstrip("=")
    for raw in (
        *(b"[]", b"[[]]", b"[null]", b"[true]", b"[1.5]", b"[-1]", b"[1e400]", b"[1, 2]", b"{}"),
        *(b'["x"]', b'["\\u0000"]', b"[99999999999999999999]", b"[" * 300, b"[" * 20_000),
    )
)
ODD_TEXTS = (
    *("", " ", "a\0b", "\ud800", "é", "١٢", "x" * 5_000, "NaN", "-1", "0", "1e999999", "9" * 30),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "18:00Z"),
)
ODD_VALUES = (2**70, -1, 0, 1.5, True, None, "a", [], {})


def check_problem(answer: httpx.Response, asked: object) -> None:
    """An answer that refuses is a problem document, and blames the caller."""
    if answer.status_code < 400:
        return
    assert answer.status_code < 500, (asked, answer.text)
    assert answer.headers["content-type"] == MEDIA_TYPE, (asked, answer.text)
    document = ProblemDocument.model_validate_json(answer.text)
    assert document.status == answer.status_code, asked
    assert document.trace_id in answer.headers["traceparent"], asked


def code(answer: httpx.Response) -> tuple[int, str]:
    check_problem(answer, answer.request.url)
    return answer.status_code, answer.json().get("code", "")


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def all_operations(five: Five, service: str) -> list[Operation]:
    return list(operations(service, five.openapi[service]))


@pytest.fixture
def writing(all_operations: list[Operation]) -> list[Operation]:
    """Those that take a body in a form of ours."""
    others = UNSIGNED | NOT_JSON_BODIES
    return [op for op in all_operations if op.takes_body and op.name not in others]


async def test_an_unknown_route_and_a_wrong_method(
    five: Five, service: str, all_operations: list[Operation]
) -> None:
    assert code(await five.call(service, "GET", "/v1/nowhere")) == (404, "not_found")
    known: dict[str, set[str]] = {}
    for op in all_operations:
        known.setdefault(op.path, set()).add(op.method)
    for op in all_operations:
        wrong = next(method for method in METHODS if method not in known[op.path])
        answer = await five.call(service, wrong, op.path_with())
        assert code(answer) == (405, "method_not_allowed"), op.name
        assert answer.headers["allow"].split(", ") == sorted(known[op.path]), op.name


async def test_without_a_token_nobody_gets_in(
    five: Five, service: str, all_operations: list[Operation]
) -> None:
    for op in all_operations:
        body, client = bodies().get(op.name), five.clients[service]
        for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic YTpi"}):
            answer = await client.request(op.method, op.path_with(), json=body, headers=headers)
            words = "webhook_missing_header" if op.name in UNSIGNED else "unauthenticated"
            assert code(answer) == (401, words), op.name


async def test_every_operation_is_closed_to_some_role(
    five: Five, service: str, all_operations: list[Operation]
) -> None:
    for op in all_operations:
        if op.name in UNSIGNED | OPEN_TO_ALL_ROLES:
            continue
        seen = set()
        for role in ROLES:
            headers = five.issuer.headers(role)
            answer = await five.call(
                service, op.method, op.path_with(), bodies().get(op.name), headers=headers
            )
            check_problem(answer, (op.name, role))
            seen.add(answer.status_code)
        assert 403 in seen, op.name


async def test_a_body_that_is_no_json(five: Five, service: str, writing: list[Operation]) -> None:
    for op in writing:
        for raw in NOT_JSON:
            answer = await _send(five, op, raw)
            assert code(answer)[0] in {400, 422}, (op.name, raw[:20])


async def test_a_body_of_another_content_type(
    five: Five, service: str, writing: list[Operation]
) -> None:
    for op in writing:
        raw = json.dumps(bodies()[op.name]).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "bogus"):
            answer = await _send(five, op, raw, {"Content-Type": kind})
            assert code(answer) == (415, "unsupported_media_type"), (op.name, kind)
        assert code(await _send(five, op, b"")) == (422, "invalid_request"), op.name


async def test_a_body_with_a_field_nobody_knows(
    five: Five, service: str, writing: list[Operation]
) -> None:
    for op in writing:
        raw = json.dumps({**bodies()[op.name], "colour": "red"}).encode()
        answer = await _send(five, op, raw)
        assert code(answer) == (422, "invalid_request"), op.name
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/colour", "extra_forbidden"), op.name


async def test_a_body_too_large(five: Five, service: str, all_operations: list[Operation]) -> None:
    """Whether its length is told beforehand or not."""

    async def pieces() -> Any:
        for _ in range(LARGEST_BODY // 100_000 + 1):
            yield b" " * 100_000

    for op in all_operations:
        if op.takes_body:
            for content in (b" " * (LARGEST_BODY + 1), pieces()):
                status, words = code(await _send(five, op, content))
                assert (status, words[-10:]) == (413, "_too_large"), op.name


async def test_odd_paths_and_queries(
    five: Five, service: str, all_operations: list[Operation]
) -> None:
    for op in all_operations:
        body = bodies().get(op.name)
        for name in op.parameters("path"):
            for odd in ODD_IDS:
                answer = await five.call(service, op.method, op.path_with(**{name: odd}), body)
                check_problem(answer, (op.name, odd))
        for name in op.parameters("query"):
            for odd in ODD_CURSORS if name == "cursor" else ODD_QUERIES:
                query = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-03T00:00:00Z", name: odd}
                path = op.path_with(account_id=five.theirs)
                answer = await five.call(service, op.method, path, params=query)
                check_problem(answer, (op.name, name, odd))


async def test_every_value_of_a_body_may_be_odd(
    five: Five, service: str, writing: list[Operation]
) -> None:
    for op in writing:
        good = bodies()[op.name]
        for place in places(good):
            odd_ones = ODD_TEXTS if isinstance(value_at(good, place), str) else ODD_VALUES
            for odd in odd_ones:
                raw = json.dumps(with_value(bodies()[op.name], place, odd)).encode()
                check_problem(await _send(five, op, raw), (op.name, place, odd))


def places(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every value in a JSON document, itself included."""
    inside = body.items() if isinstance(body, dict) else ()
    inside = enumerate(body) if isinstance(body, list) else inside
    for key, value in inside:
        yield from places(value, (*at, key))
    yield at


def value_at(body: Any, place: tuple[Any, ...]) -> Any:
    return reduce(getitem, place, body)


def with_value(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = deepcopy(body)
    value_at(changed, place[:-1])[place[-1]] = value
    return changed


async def _send(
    five: Five, op: Operation, content: Any, headers: dict[str, str] = JSON
) -> httpx.Response:
    return await five.call(
        op.service,
        op.method,
        op.path_with(account_id=five.theirs),
        content=content,
        headers={**five.as_staff(), **headers},
    )
