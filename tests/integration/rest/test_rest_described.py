"""Every interface answers as its OpenAPI document says, to whatever the document lets ask."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from itertools import chain, takewhile
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi import checks
from tests.integration.rest.five import SERVICES, Five

from npms_shared.ids import new_id

CASES = 2
"""Of each mode, for each operation."""
WITHIN_S = 15.0
ENDLESS = {"watch_meter"}
"""Streams for a quarter of an hour."""
CHECKS = [
    not_a_server_error,
    checks.negative_data_rejection,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def cases_of(operation: APIOperation, mode: GenerationMode) -> list[Case]:
    """Drawn without a seed of chance, so that what fails once fails again."""
    found: list[Case] = []

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def draw(case: Case) -> None:
        found.append(case)

    with suppress(Unsatisfiable):  # where nothing can be wrong
        draw()
    return found


def about_what_is_there(five: Five, cases: Iterator[Case]) -> Iterator[Case]:
    """Every second case asks about something that is there."""
    there = {"account_id": five.theirs, "installation_id": 1, "plan_code": "household"}
    for number, case in enumerate(cases):
        names = () if number % 2 else there.keys() & (case.path_parameters or {}).keys()
        case.path_parameters.update({name: there[name] for name in names})
        yield case


async def send(five: Five, service: str, case: Case) -> httpx.Response:
    headers = {**five.as_staff(), "Idempotency-Key": str(new_id())}
    asked = case.as_transport_kwargs(base_url=f"http://{service}", headers=headers)
    asked.pop("cookies", None)
    if "json" in asked:
        asked["content"] = json.dumps(asked.pop("json"))
    elif "data" in asked:
        asked["content"] = asked.pop("data")
    return await five.clients[service].request(**asked)


def all_cases(schema: BaseSchema, mode: GenerationMode) -> Iterator[Case]:
    for result in schema.get_all_operations():
        operation = result.ok()
        assert operation is not None, result
        if operation.definition.raw["operationId"] not in ENDLESS:
            yield from cases_of(operation, mode)


def without_tokens(document: dict[str, Any]) -> dict[str, Any]:
    """Else a case would count as a bad one for a token that is put right when it is sent."""
    told = deepcopy(document)
    told["components"].pop("securitySchemes", None)
    for path in told["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
    return told


@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_is_of_its_documented_form(five: Five, service: str) -> None:
    """Good cases of every operation; then bad ones, as many as there is time for."""
    schema, ends = (
        schemathesis.openapi.from_dict(five.openapi[service]),
        time.monotonic() + WITHIN_S,
    )
    faults = []
    good, bad = (
        all_cases(schema, mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )
    for case in chain(good, takewhile(lambda _: time.monotonic() < ends, bad)):
        answer = await send(five, service, case)
        try:
            case.validate_response(answer, checks=CHECKS)
        except (FailureGroup, Failure) as fault:
            asked = answer.request
            faults.append(f"{asked.method} {asked.url} {asked.content[:300]!r}\n{fault}")
    assert not faults, "\n\n".join(faults)
