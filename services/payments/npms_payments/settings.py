"""Every variable of payments; all begin with NPMS_PAYMENTS_."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from npms_payments.domain.attempts import Limit
from npms_payments.domain.records import Policy
from npms_payments.domain.webhooks import Secret
from npms_shared.money import AmountsByCurrency, parse_amount
from npms_shared.settings import TwoPeopleSettings


def _positive(text: str) -> str:
    if parse_amount(text) <= 0:
        raise ValueError("expected a positive amount")
    return text


def _http(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("expected an http or https URL")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_http)]


class PaymentsSettings(TwoPeopleSettings):
    model_config = SettingsConfigDict(env_prefix="NPMS_PAYMENTS_")

    voucher_pepper: SecretStr = Field(
        min_length=32,
        description="key of the hashes of voucher PINs; losing it makes every voucher worthless",
    )
    max_payment: Annotated[str, AfterValidator(_positive)] = Field(
        default="100000", description="most that one payment may be, in currency units"
    )
    partner_day_limit: dict[str, str] = Field(
        default={"*": "100000"},
        description="most that a partner without a limit of its own may sell in a day, in currency "
        "units, by currency; `*` is every other one",
    )
    voucher_failures_per_account: int = Field(default=5, ge=1)
    voucher_failures_per_caller: int = Field(default=20, ge=1)
    voucher_failure_window_s: int = Field(default=900, ge=1)
    public_url: Url | None = Field(
        default=None,
        description="where providers reach this service; default its own host and port",
    )
    paysim_url: Url | None = Field(
        default=None, description="the simulated provider; without it there is none"
    )
    paysim_webhook_secrets: SecretStr | None = Field(
        default=None, description="one or more `whsec_…`, separated by spaces; needed with the URL"
    )
    provider_timeout_s: float = Field(default=5, gt=0, le=60)
    provider_silence_s: float = Field(
        default=30, gt=0, description="after so long without a word a provider is asked"
    )
    order_lifetime_s: float = Field(default=3600, gt=0, description="then an unpaid order expires")

    @field_validator("partner_day_limit")
    @classmethod
    def _are_amounts(cls, value: dict[str, str]) -> dict[str, str]:
        AmountsByCurrency.parse(value)
        return value

    @field_validator("paysim_webhook_secrets")
    @classmethod
    def _has_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _parse(value):
            raise ValueError("expected at least one secret")
        return value

    @model_validator(mode="after")
    def _signs_with_something(self) -> "PaymentsSettings":
        if self.paysim_url and self.paysim_webhook_secrets is None:
            raise ValueError(
                "NPMS_PAYMENTS_PAYSIM_URL needs NPMS_PAYMENTS_PAYSIM_WEBHOOK_SECRETS beside it"
            )
        if self.provider_silence_s <= self.provider_timeout_s:
            raise ValueError(
                "NPMS_PAYMENTS_PROVIDER_SILENCE_S must be longer than "
                "NPMS_PAYMENTS_PROVIDER_TIMEOUT_S"
            )
        return self

    def webhook_secrets(self) -> list[Secret]:
        return _parse(self.paysim_webhook_secrets) if self.paysim_webhook_secrets else []

    def callback_url(self, provider: str) -> str:
        base = self.public_url or f"http://{self.host}:{self.port}"
        return f"{base}/v1/webhooks/{provider}"

    def policy(self) -> Policy:
        window = timedelta(seconds=self.voucher_failure_window_s)
        return Policy(
            max_payment_micro=parse_amount(self.max_payment),
            partner_day_limits=AmountsByCurrency.parse(self.partner_day_limit),
            alone_limits=self.alone_limits(),
            failures_per_account=Limit(self.voucher_failures_per_account, window),
            failures_per_caller=Limit(self.voucher_failures_per_caller, window),
            order_lifetime=timedelta(seconds=self.order_lifetime_s),
            first_query=timedelta(seconds=self.provider_silence_s),
        )


def _parse(secrets: SecretStr) -> list[Secret]:
    return [Secret.parse(text) for text in secrets.get_secret_value().split()]
