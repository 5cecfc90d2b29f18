"""`npms plan import-urdb`: a plan that the service would take, and what it lost."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from npms_operations.errors import CommandError
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.checking import check
from npms_tools import cli

RATE = {
    "label": "one",
    "name": "General service",
    "energyratestructure": [[{"rate": 0.10175, "adj": 0.01, "unit": "kWh"}]],
    "fixedchargefirstmeter": 9,
    "dgrules": "Net Metering",
}


def run(tmp_path: Path, body: object, *arguments: str) -> Result:
    file = tmp_path / "rate.json"
    file.write_text(json.dumps(body))
    command = ["plan", "import-urdb", str(file), *arguments]
    return CliRunner().invoke(cli.command_line(["plan"]), command)


def test_the_plan_is_written_and_the_loss_is_said(tmp_path: Path):
    ran = run(tmp_path, {"items": [RATE]}, "--out", str(tmp_path / "plan.json"))
    assert ran.exit_code == 0, ran.output
    assert "left out  /dgrules: what a customer feeds in is not paid for" in ran.stderr
    document = json.loads((tmp_path / "plan.json").read_text())
    check(PlanDocument.model_validate(document).prices())
    assert document["energy"]["periods"][0]["blocks"] == [{"price": "0.111750"}]


def test_strict_fails_where_anything_is_lost(tmp_path: Path):
    assert run(tmp_path, RATE, "--strict").exit_code == 1
    assert run(tmp_path, {**RATE, "dgrules": ""}, "--strict").exit_code == 0


def test_one_of_several_is_chosen_by_its_label(tmp_path: Path):
    rates = [RATE, {**RATE, "label": "two", "fixedchargefirstmeter": 11}]
    assert '"11.000000"' in run(tmp_path, rates, "--label", "two").stdout
    ran = run(tmp_path, rates)
    assert isinstance(ran.exception, CommandError)
    assert "two (General service)" in str(ran.exception)


@pytest.mark.parametrize("body", [{"energyratestructure": []}, [3], "x"])
def test_what_is_no_rate_is_refused_in_a_sentence(tmp_path: Path, body: object):
    assert isinstance(run(tmp_path, body).exception, CommandError)
