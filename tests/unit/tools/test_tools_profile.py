"""`npms profile`, and the example of docs/meters.md."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from npms_meter_gateway.profiles import load_profiles
from npms_operations.profile.cli import app
from npms_tools.schemas.places import METERS

EXAMPLE = re.search(r"```yaml\n(.*?)```", METERS.read_text(), re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    assert EXAMPLE is not None
    file = tmp_path / "example_em1.yaml"
    file.write_text(EXAMPLE[1])
    return file


def check(*files: Path) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, files)])


def test_the_guides_example_is_good_and_says_how_it_is_read(example: Path) -> None:
    done = check(example)
    lines = [line.removeprefix(f"{example}: ") for line in done.output.splitlines()]
    assert done.exit_code == 0
    assert lines == [
        "example_em1 is good: 5 points, manual",
        "billing reads holding 0x000a + 10: energy_import_wh, voltage_v, power_w",
        "billing reads holding 0x0020 + 1: relay",
        "slow reads holding 0x0011 + 4: current_a, frequency_hz",
        "2 golden frames mean what they should",
    ]
    assert load_profiles(example.parent)["example_em1"].is_certain


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("type: u32", "type: u33", "points.energy_import_wh.type: Input should be 'u16'"),
        ('scale: "10"', "scale: 10", "points.energy_import_wh.scale: Value error, write it in"),
        ("0x0010, type: u16", "0x000B, type: u16", "points.voltage_v: overlaps points.energy_"),
        ("confidence: manual", "confidence: rumour", "sources.0.confidence: Input should be"),
        ("87 44 34", "87 44 35", "golden.0: response: wrong CRC"),
        ('"12345670"', '"12345680"', "golden.0: values.energy_import_wh: 12345670, not 12345680"),
        ('switches: "off"', 'switches: "on"', "golden.1: request: 10 00 20 00 01 02 00 01 swit"),
        ("vendor: Example", "vendor: [", "not YAML: while parsing a flow sequence"),
        ("vendor: Example", "vendor: Example\ncolour: red", "colour: Extra inputs are not"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    example: Path, old: str, new: str, fault: str
) -> None:
    text = example.read_text()
    assert text.count(old) >= 1
    example.write_text(text.replace(old, new, 1))
    done = check(example)
    assert done.exit_code == 1
    assert f"{example}: {fault}" in done.output


@pytest.mark.parametrize("text", ["", "- a list", "just words", "? [1, 2]\n: what"])
def test_what_is_no_mapping_at_all_is_said_too(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    done = check(file)
    assert done.exit_code == 1
    assert "file: Input should be a valid dictionary" in done.output or "not YAML" in done.output


def test_a_profile_without_proof_or_certainty_is_told_so(example: Path) -> None:
    text = example.read_text().replace("confidence: manual", "confidence: assumed")
    example.write_text(text[: text.index("golden:")])
    done = check(example)
    assert done.exit_code == 0
    assert "no golden frames: nothing proves that it reads what the meter shows" in done.output
    assert "example_em1 is uncertain (assumed: EM1 communication manual 1.4" in done.output


def test_every_profile_is_listed_with_its_confidence() -> None:
    listed = CliRunner().invoke(app, ["list"]).output
    for profile in load_profiles().values():
        assert f"{profile.code} " in listed
    assert "pzem_016                 Peacefair PZEM-016 (disputed, relay: none)" in listed
