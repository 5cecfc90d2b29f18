"""Which installation an operator's command asks, and by whose token."""

from pathlib import Path
from uuid import UUID

import pytest
from tests.support.answering import Heard, answering
from typer.testing import CliRunner, Result

from npms_operations import cli
from npms_operations.command_line import make_command_line, run
from npms_operations.errors import CommandError
from npms_operations.installation import TOKEN_VARIABLE, Installation, find_installation

PARKED = {"id": str(UUID(int=1)), "parked_at": "2026-03-04T12:00:00Z"} | {
    "queue": "ledger.payments",
    "code": "unknown_account",
    "reason": "account 7 is not known",
}


def invoke(*words: str) -> Result:
    return CliRunner().invoke(make_command_line(cli.COMMANDS, "", list(words[:1])), list(words))


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself_without_development_s_tools(command: str) -> None:
    shown = invoke(command, "--help")
    assert shown.exit_code == 0, shown.output
    assert "--stack" not in shown.output


def test_parked_messages_of_any_installation_are_listed_shown_and_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(heard: Heard) -> tuple[int, object]:
        if heard.method == "POST":
            return 202, {"state": heard.path.rpartition("/")[2]}
        return 200, PARKED if heard.path.endswith(PARKED["id"]) else {"items": [PARKED]}

    monkeypatch.setenv(TOKEN_VARIABLE, "a-token")
    with answering(answer) as ledger:
        at = ("--url", ledger.url)
        listed = invoke("parked", "list", "ledger", *at)
        shown = invoke("parked", "show", "ledger", PARKED["id"], *at)
        settle = ("ledger", PARKED["id"], "--reason", "it is known by now", *at)
        for verb in ("replay", "drop"):
            assert invoke("parked", verb, *settle).output == f"{verb}\n"
    assert "unknown_account: account 7 is not known\n1 parked" in listed.output
    assert '"queue": "ledger.payments"' in shown.output
    assert {heard.token for heard in ledger.heard} == {"a-token"}
    assert ledger.heard[-1].body == {"reason": "it is known by now"}


def test_urls_of_the_command_line_win_over_those_of_a_profile(tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text('[services]\nledger = "https://a"\ntariff = "https://b/"\n')
    found = find_installation(profile, ["https://c", "payments=https://d?x=1"], of="ledger")
    assert found.services == {
        "ledger": "https://c",
        "tariff": "https://b",
        "payments": "https://d?x=1",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("services = 1", "services is a table"),
        ("token = ", r"profile .*profile\.toml"),
        ('[services]\nlegder = "https://a"', "no such service: legder"),
        ('[services]\nledger = "ftp://a"', "no http"),
        ("[services]\nledger = 7", "no http"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, says: str) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text(content)
    with pytest.raises(CommandError, match=says):
        find_installation(profile, None, of="ledger")


def test_what_is_missing_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(CommandError, match=TOKEN_VARIABLE):
        Installation({}).token()
    monkeypatch.delenv("NPMS_PROFILE", raising=False)
    with pytest.raises(SystemExit, match="1"):
        run(cli.COMMANDS, "", ["cuts"])
    assert "give --url ledger=https://" in capsys.readouterr().err
