from pathlib import Path
from typing import Any

import pytest

from npms_notifier.domain.quiet_hours import parse_quiet_hours
from npms_notifier.settings import NotifierSettings
from npms_shared.settings import SettingsError, read_settings


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    keys = tmp_path / "jwks.json"
    keys.write_text("{}")
    return {
        "database_url": "postgresql://localhost/x",
        "amqp_url": "amqp://localhost/x",
        "jwks_path": keys,
        "smtp_host": "localhost",
        "smtp_sender": "notices@Example.org",
        "sms_url": "http://localhost/sms",
        "sms_api_key": "for-tests-only",
        "code_pepper": "for tests only, thirty-two characters",
    }


def test_good_settings(good: dict[str, Any]) -> None:
    settings = read_settings(NotifierSettings, **good, quiet_hours="21:00-07:00")
    assert settings.smtp_sender == "notices@example.org"
    assert settings.quiet == parse_quiet_hours("21:00-07:00")
    assert "for-tests-only" not in repr(settings)
    assert "for tests only" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_host", ""),
        ("smtp_port", 0),
        ("smtp_sender", "nobody"),
        ("sms_url", "ftp://x"),
        ("sms_api_key", "short"),
        ("code_pepper", "short"),
        ("quiet_hours", "late"),
        ("delivery_attempts", 0),
        ("delivery_retry_s", 0),
    ],
)
def test_a_wrong_variable_is_named(good: dict[str, Any], name: str, value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(NotifierSettings, **{**good, name: value})
    assert refused.value.problems[0].startswith(f"NPMS_NOTIFIER_{name.upper()}: ")


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({"delivery_lease_s": 5, "delivery_timeout_s": 5}, "DELIVERY_LEASE_S"),
        ({"smtp_username": "me"}, "SMTP_PASSWORD"),
    ],
)
def test_what_does_not_fit_together_is_named(
    good: dict[str, Any], wrong: dict[str, Any], variable: str
) -> None:
    with pytest.raises(SettingsError, match=variable):
        read_settings(NotifierSettings, **good, **wrong)


@pytest.mark.parametrize(
    "name", ["smtp_host", "smtp_sender", "sms_url", "sms_api_key", "code_pepper"]
)
def test_what_is_missing_is_named(good: dict[str, Any], name: str) -> None:
    del good[name]
    with pytest.raises(SettingsError, match=f"NPMS_NOTIFIER_{name.upper()}: Field required"):
        read_settings(NotifierSettings, **good)
