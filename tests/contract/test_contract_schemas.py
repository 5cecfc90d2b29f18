"""What is said on the broker and on REST is what is written down, and only grows."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.profiles.loading import SHIPPED
from npms_meter_gateway.profiles.schema import profile_schema
from npms_shared.contracts.ledger import AccountOpened
from npms_shared.messaging.topology import QUEUES, STAGES
from npms_tariff.plan_schema import plan_schema
from npms_tools.schemas.asyncapi import asyncapi_document
from npms_tools.schemas.cli import as_text
from npms_tools.schemas.compatibility import breaking_changes
from npms_tools.schemas.contracts import CONTRACTS, sample_of, schema_of
from npms_tools.schemas.meter_table import with_table
from npms_tools.schemas.openapi import application_of
from npms_tools.schemas.places import API, GOLDEN, METERS, SAMPLES
from npms_tools.stack.services import SERVICES

AGAIN = "run `make schemas` and look at what changed"
PROBLEM = "application/problem+json"
OPERATION_ID = re.compile(r"[a-z]+(_[a-z0-9]+)+")

Json = dict[str, Any]


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_is_as_its_golden_schema_says(name: str) -> None:
    golden = GOLDEN / f"{name}.json"
    assert golden.exists(), AGAIN
    schema = schema_of(CONTRACTS[name])
    assert breaking_changes(json.loads(golden.read_text()), schema) == []
    assert golden.read_text() == as_text(schema), AGAIN


@pytest.mark.parametrize("name", CONTRACTS)
def test_what_was_once_said_can_still_be_read(name: str) -> None:
    sample = (SAMPLES / f"{name}.json").read_text()
    read = CONTRACTS[name].model_validate_json(sample)
    Draft202012Validator(schema_of(CONTRACTS[name])).validate(json.loads(sample))
    grown = json.dumps({**json.loads(sample), "added_later": {"by": "a newer version"}})
    assert CONTRACTS[name].model_validate_json(grown) == read


def test_nothing_is_written_down_that_nobody_says() -> None:
    for folder in (GOLDEN, SAMPLES):
        assert {path.stem for path in folder.iterdir()} == set(CONTRACTS)


OLD = schema_of(AccountOpened)


def changed(**properties: Json | None) -> Json:
    """The schema of AccountOpened with properties replaced, or removed where None."""
    new = deepcopy(OLD)
    for name, schema in properties.items():
        if schema is None:
            del new["properties"][name]
        else:
            new["properties"][name] = schema
    return new


@pytest.mark.parametrize(
    ("new", "place"),
    [
        (changed(currency=None), "/currency: removed"),
        (changed(currency={"type": "integer"}), "/currency: was"),
        (changed(opened_at={"type": "string"}), "/opened_at: was"),
        (changed(contacts={"type": "array", "items": {"type": "string"}}), "/contacts/*: was"),
        (changed(currency={"anyOf": [{"type": "string"}, {"type": "null"}]}), "/currency: was"),
        ({**OLD, "required": [*OLD["required"], "tenant"]}, "/tenant: newly required"),
    ],
)
def test_a_change_that_breaks_readers_is_found(new: Json, place: str) -> None:
    [found] = breaking_changes(OLD, new)
    assert found.startswith(place)


def test_an_enumeration_may_grow_but_not_shrink() -> None:
    new = deepcopy(OLD)
    channels = new["$defs"]["Contact"]["properties"]["channel"]["enum"]
    channels.append("push")
    assert breaking_changes(OLD, new) == []
    channels.remove("sms")
    assert breaking_changes(OLD, new) == ["/contacts/*/channel: 'sms' is no longer allowed"]


def test_a_contract_may_grow() -> None:
    assert breaking_changes(OLD, changed(tenant={"type": "string", "default": ""})) == []
    described = {**OLD["properties"]["currency"], "description": "ISO 4217"}
    assert breaking_changes(OLD, changed(currency=described)) == []


def test_a_sample_has_every_property() -> None:
    assert set(sample_of(OLD)) == set(OLD["properties"])


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def lookup(document: Json, reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_asyncapi_is_up_to_date() -> None:
    assert (API / "asyncapi.json").read_text() == as_text(asyncapi_document()), AGAIN


def test_asyncapi_has_everything_and_points_at_nothing_missing() -> None:
    document = asyncapi_document()
    for reference in references(document):
        assert lookup(document, reference)
    assert {m["name"] for m in document["components"]["messages"].values()} == set(CONTRACTS)
    queues = {*QUEUES, *(stage.queue for stage in STAGES)}
    assert queues <= set(document["channels"])
    heard = {key for key, op in document["operations"].items() if op["action"] == "receive"}
    assert heard == {f"{queue}.hear" for queue in queues}
    for message in document["components"]["messages"].values():
        contract = CONTRACTS[message["name"]]
        contract.model_validate_json(json.dumps(message["examples"][0]["payload"]))


def test_the_plan_language_is_written_down() -> None:
    assert (API / "plan.schema.json").read_text() == as_text(plan_schema()), AGAIN
    Draft202012Validator.check_schema(plan_schema())


def test_the_form_of_a_meter_profile_is_written_down() -> None:
    schema = profile_schema()
    assert (API / "meter-profile.schema.json").read_text() == as_text(schema), AGAIN
    Draft202012Validator.check_schema(schema)


def test_the_table_of_meters_is_as_the_profiles_are() -> None:
    page = METERS.read_text()
    assert with_table(page) == page, AGAIN
    for code in load_profiles():
        assert (f"`{code}`" in page) == (code != "npms_street_limiter"), code


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_profile_has_the_published_form(file: Path) -> None:
    Draft202012Validator(profile_schema()).validate(yaml.safe_load(file.read_text()))


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def application(service: str) -> FastAPI:
    return application_of(service)


@pytest.fixture(scope="module")
def openapi(application: FastAPI) -> Json:
    return application.openapi()


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Those of the interface proper, not of probes."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1/"):
                yield f"{method.upper()} {path}", operation


def test_openapi_is_up_to_date(service: str, openapi: Json) -> None:
    assert (API / f"openapi-{service}.json").read_text() == as_text(openapi), AGAIN


def test_operations_are_named_once_and_on_purpose(application: FastAPI, openapi: Json) -> None:
    ids = [operation["operationId"] for _, operation in operations(openapi)]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not OPERATION_ID.fullmatch(name)] == []
    unnamed = [r.path for r in routes(application.routes) if r.operation_id is None]
    assert unnamed == []


def routes(found: Any) -> Iterator[APIRoute]:
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        else:
            yield from routes(getattr(route, "routes", None) or ())


def test_every_refusal_is_a_problem(openapi: Json) -> None:
    for name, operation in operations(openapi):
        refusals = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert {"401", "403", "422"} <= set(refusals), name
        for status, response in refusals.items():
            assert PROBLEM in response["content"], f"{name} {status}"


def test_references_of_openapi_lead_somewhere(openapi: Json) -> None:
    for reference in references(openapi):
        assert lookup(openapi, reference)


SELF_EXPLAINING = ("examples", "example", "enum", "const", "default", "$ref")


def without_example(document: Json, schema: Json, place: str) -> Iterator[str]:
    """Places of a request that must be filled and that a caller could only guess at."""
    if "$ref" in schema:
        schema = lookup(document, schema["$ref"])
    if schema.get("examples") or "example" in schema:
        return
    for name in schema.get("required", []):
        inner = schema["properties"][name]
        nested = [inner, inner.get("items", {}), *inner.get("anyOf", [])]
        references_of = [s for s in nested if "$ref" in s]
        for reference in references_of:
            yield from without_example(document, reference, f"{place}/{name}")
        plain = inner.get("type") == "boolean" or any(key in inner for key in SELF_EXPLAINING)
        if not references_of and not plain:
            yield f"{place}/{name}"


def test_every_request_has_examples(openapi: Json) -> None:
    missing: list[str] = []
    for name, operation in operations(openapi):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body and "example" not in body and "examples" not in body:
            missing += without_example(openapi, body["schema"], name)
    assert missing == []
