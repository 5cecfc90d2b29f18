"""An operator's command on a local stack is lent what it needs, and nothing over what is given."""

import tomllib
from pathlib import Path

import pytest

from npms_tools.stack import lending
from npms_tools.stack.lending import lend, take_stack_name
from npms_tools.stack.local import Stack


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lending, "Stack", lambda name: Stack(name, tmp_path))
    return tmp_path


def test_the_name_of_a_stack_is_taken_from_the_words() -> None:
    plain = ["why", "cut", "7"]
    assert take_stack_name(["why", "--stack", "other", "cut", "7"]) == (plain, "other")
    assert take_stack_name(plain) == (plain, None)


def test_a_command_that_asks_gets_a_profile_and_an_operator_s_token() -> None:
    lent: dict[str, str] = {}
    lend(["why", "cut", "7"], "other", lent)
    profile = Path(lent["NPMS_PROFILE"])
    assert profile.parent.name == "other"
    assert tomllib.loads(profile.read_text())["services"]["ledger"].startswith("http://127.0.0.1:")
    assert lent["NPMS_TOKEN"].startswith("ey")


@pytest.mark.parametrize(
    "words",
    [
        ["why", "cut", "7", "--url", "https://ledger.example"],
        ["cuts", "--profile=utility.toml"],
        ["cuts", "--help"],
        ["plan", "check", "plan.json"],
        ["meter", "probe", "192.0.2.1", "1"],
        ["demo"],
    ],
)
def test_nothing_is_lent_where_an_installation_is_named_or_none_is_asked(
    words: list[str], folder: Path
) -> None:
    lent: dict[str, str] = {}
    lend(words, None, lent)
    assert (lent, list(folder.iterdir())) == ({}, [])


def test_what_the_environment_names_is_left_alone() -> None:
    given = {"NPMS_PROFILE": "utility.toml", "NPMS_TOKEN": "x"}
    environment = dict(given)
    lend(["cuts"], None, environment)
    assert environment == given
