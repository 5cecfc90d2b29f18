"""`npms`: every command loads, and a new migration follows the last one."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from npms_tools import cli, revision
from npms_tools.stack import StackError

RUNNER = CliRunner()


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str):
    shown = RUNNER.invoke(cli.command_line([command]), [command, "--help"])

    assert shown.exit_code == 0, shown.output
    assert "Usage" in shown.output


def test_the_list_names_every_command_without_loading_any():
    shown = RUNNER.invoke(cli.command_line([]), ["--help"])

    assert all(command in shown.output for command in cli.COMMANDS)


def test_what_cannot_be_done_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["npms", "revision", "nobody", "x"])

    with pytest.raises(SystemExit) as ended:
        cli.app()

    assert ended.value.code == 1
    assert "no such service: 'nobody'" in capsys.readouterr().err


def test_a_revision_follows_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    versions = tmp_path / "services/meter-gateway/npms_meter_gateway/migrations/versions"
    versions.mkdir(parents=True)
    (versions / "0001_first.py").touch()
    monkeypatch.setattr(revision, "WORKSPACE", tmp_path)

    revision.revision("meter-gateway", "Add the column")

    text = (versions / "0002_add_the_column.py").read_text()
    assert 'revision = "0002"\ndown_revision = "0001"' in text
    assert text.startswith('"""Add the column"""')


def test_a_revision_needs_a_subject():
    with pytest.raises(StackError, match="needs a subject"):
        revision.revision("ledger", " ")
