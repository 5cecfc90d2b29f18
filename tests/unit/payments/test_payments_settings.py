"""Configuration that is missing or wrong is named at start."""

from pathlib import Path
from typing import Any

import pytest

from npms_payments.settings import PaymentsSettings
from npms_shared.settings import SettingsError, read_settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PEPPER = "p" * 32


def read(folder: Path, **changes: Any) -> PaymentsSettings:
    keys = folder / "jwks.json"
    keys.write_text("{}")
    given: dict[str, Any] = {
        "database_url": "postgresql://x/y",
        "amqp_url": "amqp://x/y",
        "jwks_path": keys,
        "voucher_pepper": PEPPER,
    } | changes
    return read_settings(PaymentsSettings, **{k: v for k, v in given.items() if v is not None})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"voucher_pepper": None}, "NPMS_PAYMENTS_VOUCHER_PEPPER"),
        ({"voucher_pepper": "short"}, "NPMS_PAYMENTS_VOUCHER_PEPPER"),
        ({"max_payment": "0"}, "NPMS_PAYMENTS_MAX_PAYMENT"),
        ({"max_payment": "lots"}, "NPMS_PAYMENTS_MAX_PAYMENT"),
        ({"paysim_url": "localhost"}, "NPMS_PAYMENTS_PAYSIM_URL"),
        ({"paysim_webhook_secrets": "whsec_x"}, "NPMS_PAYMENTS_PAYSIM_WEBHOOK_SECRETS"),
        ({"paysim_webhook_secrets": " "}, "NPMS_PAYMENTS_PAYSIM_WEBHOOK_SECRETS"),
        ({"paysim_url": "http://p"}, "NPMS_PAYMENTS_PAYSIM_WEBHOOK_SECRETS"),
        ({"provider_silence_s": 2}, "NPMS_PAYMENTS_PROVIDER_SILENCE_S"),
    ],
)
def test_the_wrong_variable_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        read(tmp_path, **changes)
    said = str(wrong.value)
    assert named in said
    assert "whsec_x" not in said
    assert "short" not in said.replace("shorter", "")


def test_secrets_do_not_show(tmp_path: Path) -> None:
    settings = read(tmp_path, paysim_url="http://p/", paysim_webhook_secrets=f"{SECRET} {SECRET}")
    assert len(settings.webhook_secrets()) == 2
    assert SECRET not in repr(settings)
    assert PEPPER not in repr(settings)
    assert settings.paysim_url == "http://p"


def test_callbacks_come_to_the_public_address(tmp_path: Path) -> None:
    own = read(tmp_path, port=8004)
    assert own.callback_url("paysim") == "http://127.0.0.1:8004/v1/webhooks/paysim"
    public = read(tmp_path, public_url="https://pay.example/")
    assert public.callback_url("paysim") == "https://pay.example/v1/webhooks/paysim"


def test_policy_in_units_of_the_domain(tmp_path: Path) -> None:
    policy = read(tmp_path, max_payment="12.5").policy()
    assert policy.max_payment_micro == 12_500_000
    assert policy.failures_per_account.failures == 5
    assert policy.failures_per_account.window.total_seconds() == 900
