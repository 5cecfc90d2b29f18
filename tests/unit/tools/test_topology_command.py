"""`npms topology`: what it takes from the environment, and what it refuses."""

import json

import pytest

from npms_operations.errors import CommandError
from npms_operations.topology.cli import given_urls, wanted_definitions
from npms_tools.cli import command_line
from npms_tools.stack.services import SERVICES, variable_of

URLS = {service: f"amqp://npms-{service}:s3cret-{service}@broker/npms" for service in SERVICES}
ENVIRONMENT = {variable_of(service, "amqp_url"): url for service, url in URLS.items()}


def test_it_prints_every_user_with_rights_and_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="0"):
        command_line(["topology"])(["topology", "--partitions", "2"])
    printed = capsys.readouterr().out
    assert "s3cret" not in printed
    wanted = json.loads(printed)
    names = [f"npms-{service}" for service in SERVICES]
    assert [user["name"] for user in wanted["users"]] == names
    assert [rights["user"] for rights in wanted["permissions"]] == names
    assert {rights["vhost"] for rights in wanted["permissions"]} == {"npms"}
    assert not any(user["tags"] for user in wanted["users"])


def test_what_is_not_given_is_named() -> None:
    with pytest.raises(CommandError, match=r"NPMS_LEDGER_AMQP_URL.*NPMS_NOTIFIER_AMQP_URL"):
        given_urls({})
    assert given_urls(ENVIRONMENT) == URLS
    half = {name: url for name, url in ENVIRONMENT.items() if "LEDGER" not in name}
    with pytest.raises(CommandError, match="NPMS_LEDGER_AMQP_URL"):
        given_urls(half)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ledger": "amqp://npms-ledger:x@broker/other"}, "virtual hosts differ: npms, other"),
        (dict.fromkeys(SERVICES, "amqp://npms:x@broker/npms"), "a user of its own"),
        ({"ledger": "amqp://other-ledger:x@broker/npms"}, "named alike"),
        ({"ledger": "amqp://npms-ledger@broker/npms"}, "no password"),
    ],
)
def test_urls_that_cannot_work_together_are_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        wanted_definitions({**URLS, **changes}, partitions=1)
