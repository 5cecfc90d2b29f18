"""The published JSON Schema takes what the service takes, and points at what it does not."""

import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from tests.unit.tariff.documents import documents
from typer.testing import CliRunner

from npms_operations.plan.cli import app
from npms_tariff.plan_schema import flaws_of, plan_schema
from npms_tools.stack.local import WORKSPACE

EXAMPLES = sorted((WORKSPACE / "services" / "tariff" / "examples").glob("*.json"))
SCHEMA = Draft202012Validator(plan_schema())
GOOD = {"energy": {"periods": [{"name": "all", "blocks": [{"price": "24.5"}]}]}}


@given(documents())
@settings(max_examples=40)
def test_every_plan_of_the_language_is_in_the_schema(document):
    SCHEMA.validate(document)
    assert flaws_of(document) == []


def changed(change) -> dict:
    document = deepcopy(GOOD)
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        (lambda d: d.pop("energy"), "/energy", "missing"),
        (lambda d: d.update(colour="red"), "/colour", "extra_forbidden"),
        (lambda d: d["energy"].update(periods=[]), "/energy/periods", "too_short"),
        (
            lambda d: d["energy"]["periods"][0]["blocks"][0].update(price="1,5"),
            "/energy/periods/0/blocks/0/price",
            "not_an_amount",
        ),
        (
            lambda d: d["energy"]["periods"][0]["blocks"][0].update(price="1.1234567"),
            "/energy/periods/0/blocks/0/price",
            "too_many_decimals",
        ),
        (
            lambda d: d["energy"].update(
                schedule=[{"period": "all", "weekdays": ["moon"], "from": "00:00", "to": "24:00"}]
            ),
            "/energy/schedule/0/weekdays/0",
            "literal_error",
        ),
    ],
)
def test_a_wrong_form_is_outside_the_schema_and_pointed_at(change, pointer, code):
    document = changed(change)
    assert not SCHEMA.is_valid(document)
    assert [(flaw.pointer, flaw.code) for flaw in flaws_of(document)] == [(pointer, code)]


@pytest.mark.parametrize("nothing", [None, [], "text", 5])
def test_what_is_no_document_is_pointed_at_as_a_whole(nothing):
    assert not SCHEMA.is_valid(nothing)
    [flaw] = flaws_of(nothing)
    assert flaw.pointer == ""


def check(*paths) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["check", *map(str, paths)])
    return done.exit_code, done.stdout, done.stderr


def test_the_examples_are_good_as_bodies_and_as_documents(tmp_path):
    document = tmp_path / "document.json"
    document.write_text(json.dumps(json.loads(EXAMPLES[0].read_text())["document"]))
    code, said, wrong = check(*EXAMPLES, document)
    assert (code, wrong) == (0, "")
    assert said.count("the plan is good") == len(EXAMPLES) + 1


def test_a_file_is_checked_against_form_and_rules_with_every_place(tmp_path):
    blocks = [{"upto": "2", "price": "1"}, {"upto": "1", "price": "1"}, {"price": "1"}]
    rules = {"energy": {"periods": [{"name": "all", "blocks": blocks}]}}
    body = {"valid_from": "2026-01-01T00:00:00", "document": {**GOOD, "colour": "red"}}
    files = {
        "rules.json": json.dumps(rules),
        "body.json": json.dumps(body),
        "version.json": json.dumps({**body, "valid_from": "2026-01-01T00:00Z", "document": rules}),
        "text.json": "{",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    code, said, wrong = check(EXAMPLES[0], *(tmp_path / name for name in files), tmp_path / "no")
    assert code == 1
    assert said == f"{EXAMPLES[0]}: the plan is good\n"
    places = [line.removeprefix(f"{tmp_path}/").split(": ")[:3] for line in wrong.splitlines()]
    assert places == [
        ["rules.json", "/energy/periods/0/blocks/1/upto", "blocks_out_of_order"],
        ["body.json", "/valid_from", "timezone_aware"],
        ["body.json", "/document/colour", "extra_forbidden"],
        ["version.json", "/document/energy/periods/0/blocks/1/upto", "blocks_out_of_order"],
        ["text.json", "/", "not_json"],
        ["no", "/", "unreadable"],
    ]
