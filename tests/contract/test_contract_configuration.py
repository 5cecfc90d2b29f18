"""Configuration that is missing or wrong stops every service at start, named by its variable."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.support.tokens import TestIssuer
from typer.testing import CliRunner

SERVICES = ("ledger", "tariff", "meter-gateway", "payments", "notifier")
HIDDEN = "not-to-be-shown"
LONG = "thirty-two characters or more, for tests"
NEEDED: dict[str, dict[str, str]] = {
    "payments": {"VOUCHER_PEPPER": LONG},
    "notifier": {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_SENDER": "credit@npms.example",
        "SMS_URL": "http://127.0.0.1/sms",
        "SMS_API_KEY": LONG,
        "CODE_PEPPER": LONG,
    },
}
WRONG_ANYWHERE = (
    ("DATABASE_URL", HIDDEN),
    ("DATABASE_URL", f"mysql://npms:{HIDDEN}@127.0.0.1/npms"),
    ("DATABASE_URL", f"postgresql://npms:{HIDDEN}@127.0.0.1:here/npms"),
    ("MIGRATION_DATABASE_URL", HIDDEN),
    ("AMQP_URL", f"http://npms:{HIDDEN}@127.0.0.1/"),
    ("JWKS_PATH", "/does/not/exist"),
    ("PORT", "seventy"),
    ("PORT", "70000"),
    ("PARTITIONS", "0"),
    ("PARTITION_CONCURRENCY", "0"),
    ("DATABASE_POOL_SIZE", "1"),
    ("LOG_LEVEL", "loud"),
)
WRONG_HERE = (
    ("tariff", "FUTURE_TOLERANCE_S", "-1"),
    ("tariff", "HOURS_KEPT_MONTHS", "1"),
    ("meter-gateway", "FUTURE_TOLERANCE_S", "-1"),
    ("meter-gateway", "POLL", "perhaps"),
    ("meter-gateway", "POLL_INTERVAL_S", "0"),
    ("meter-gateway", "PROFILES_PATH", "/does/not/exist"),
    ("meter-gateway", "RELAY_ALARM_AFTER", "0"),
    ("meter-gateway", "ALLOWED_NETWORKS", "10.0.0.0/33"),
    ("meter-gateway", "ALLOWED_PORTS", "502-70000"),
    ("meter-gateway", "ALLOWED_DEVICES", "/etc/*"),
    ("payments", "VOUCHER_PEPPER", HIDDEN),
    ("payments", "MAX_PAYMENT", "lots"),
    ("payments", "MAX_PAYMENT", "-1"),
    ("payments", "VOUCHER_FAILURES_PER_ACCOUNT", "0"),
    ("payments", "PUBLIC_URL", "here"),
    ("payments", "PAYSIM_URL", "http://127.0.0.1:1"),
    ("payments", "PAYSIM_WEBHOOK_SECRETS", f"whsec_{HIDDEN}"),
    ("payments", "PROVIDER_SILENCE_S", "1"),
    ("notifier", "SMTP_PORT", "0"),
    ("notifier", "SMTP_SENDER", "nobody"),
    ("notifier", "SMTP_USERNAME", "only half"),
    ("notifier", "SMS_URL", "ftp://127.0.0.1"),
    ("notifier", "SMS_API_KEY", "short"),
    ("notifier", "CODE_PEPPER", HIDDEN),
    ("notifier", "QUIET_HOURS", "late"),
    ("notifier", "DELIVERY_LEASE_S", "1"),
)
WRONG = [
    *((service, name, value) for service in SERVICES for name, value in WRONG_ANYWHERE),
    *WRONG_HERE,
]
KEY_SETS = (
    "",
    "not JSON",
    "[]",
    "{}",
    '{"keys": []}',
    '{"keys": [{"kty": "none"}]}',
    '{"keys": 5}',
)
CLOCKS = (
    "fast",
    "speed=2",
    "anchor=2026-01-01;start=2026-01-01T00:00:00Z;speed=2",
    "anchor=soon;start=2026-01-01T00:00:00Z;speed=2",
    "anchor=2026-01-01T00:00:00Z;start=2026-01-01T00:00:00Z;speed=1.2.3",
    "anchor=2026-01-01T00:00:00Z;start=2026-01-01T00:00:00Z;speed=0",
    "anchor=2026-01-01T00:00:00Z;start=2026-01-01T00:00:00Z;speed=99999999",
)


class Start:
    """Good variables of a service, and what `check-config` says to them."""

    def __init__(self, patch: pytest.MonkeyPatch, jwks_path: Path) -> None:
        self._patch, self._jwks_path = patch, jwks_path

    def prepare(self, service: str, **changes: str | None) -> None:
        given: dict[str, str | None] = {
            "DATABASE_URL": "postgresql://npms@127.0.0.1/npms",
            "AMQP_URL": "amqp://npms@127.0.0.1/npms",
            "JWKS_PATH": str(self._jwks_path),
            **NEEDED.get(service, {}),
            **changes,
        }
        for name, value in given.items():
            if value is not None:
                self._patch.setenv(variable(service, name), value)

    def run(self, service: str) -> Result:
        app: Any = import_module(f"npms_{service.replace('-', '_')}.cli").app
        return CliRunner().invoke(app, ["check-config"])


def variable(service: str, name: str) -> str:
    return f"NPMS_{service.upper().replace('-', '_')}_{name}"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    for name in [name for name in os.environ if name.startswith("NPMS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("npms_shared.observability.logs.configure", lambda *_: None)
    return Start(monkeypatch, TestIssuer(tmp_path).jwks_path)


@pytest.mark.parametrize("service", SERVICES)
def test_good_configuration_is_said_to_be_good(start: Start, service: str) -> None:
    start.prepare(service)
    done = start.run(service)
    assert (done.exit_code, done.stdout) == (0, f"{service}: configuration is good\n")


@pytest.mark.parametrize("service", SERVICES)
def test_everything_missing_is_named_at_once(start: Start, service: str) -> None:
    done = start.run(service)
    assert done.exit_code == 2
    needed = ("DATABASE_URL", "AMQP_URL", "JWKS_PATH", *NEEDED.get(service, {}))
    named = {line.split(": ")[1] for line in done.stderr.splitlines()}
    assert named == {variable(service, name) for name in needed}


@pytest.mark.parametrize(("service", "name", "value"), WRONG)
def test_a_wrong_variable_is_named_in_full(
    start: Start, service: str, name: str, value: str
) -> None:
    start.prepare(service, **{name: value})
    done = start.run(service)
    assert done.exit_code == 2
    assert variable(service, name) in done.stderr
    assert HIDDEN not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("content", KEY_SETS)
def test_a_file_without_keys_is_named(
    start: Start, tmp_path: Path, service: str, content: str
) -> None:
    keys = tmp_path / "wrong.json"
    keys.write_text(content)
    start.prepare(service, JWKS_PATH=str(keys))
    done = start.run(service)
    assert done.exit_code == 2
    assert f"{variable(service, 'JWKS_PATH')}: no JWK set with a key in it" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("value", CLOCKS)
def test_a_wrong_clock_is_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, service: str, value: str
) -> None:
    start.prepare(service)
    monkeypatch.setenv("NPMS_CLOCK", value)
    done = start.run(service)
    assert done.exit_code == 2
    assert "configuration: NPMS_CLOCK: " in done.stderr
