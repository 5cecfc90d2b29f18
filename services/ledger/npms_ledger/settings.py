"""Every variable of the ledger; all begin with NPMS_LEDGER_."""

from datetime import timedelta

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from npms_ledger.domain.guardrail import Guardrail
from npms_ledger.domain.moves import ANY_CURRENCY, FixLimits
from npms_shared.money import AmountError, is_currency, parse_amount
from npms_shared.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """What the ledger needs beyond what every service needs."""

    model_config = SettingsConfigDict(env_prefix="NPMS_LEDGER_")

    money_fix_limit: dict[str, str] = Field(
        default={ANY_CURRENCY: "5"},
        description="most that one person may fix or transfer alone, in currency units: JSON by "
        'currency, e.g. {"KES": "500", "*": "5"}; `*` is every other one',
    )

    guardrail_cuts: int = Field(
        default=500, ge=0, description="most cuts within the window; 0 is no limit"
    )
    guardrail_share_ppm: int = Field(
        default=100_000,
        ge=0,
        le=1_000_000,
        description="most cuts within the window, in millionths of a group; 0 is no limit",
    )
    guardrail_window_minutes: int = Field(
        default=60, ge=1, description="business minutes over which cuts are counted"
    )
    guardrail_min_group: int = Field(
        default=100, ge=1, description="accounts from which on a group's share is looked at"
    )
    guardrail_rejected_hours: int = Field(
        default=24, ge=1, description="how long a rejected cut is not made"
    )
    reconnect_limit_s: int = Field(
        default=7200, ge=1, description="business seconds a paid reconnection may take"
    )

    @field_validator("money_fix_limit")
    @classmethod
    def _are_amounts(cls, value: dict[str, str]) -> dict[str, str]:
        for currency, amount in value.items():
            if currency != ANY_CURRENCY and not is_currency(currency):
                raise ValueError(f"{currency!r} is no ISO 4217 code")
            try:
                negative = parse_amount(amount) < 0
            except AmountError as fault:
                raise ValueError(f"{amount!r} is no amount: {fault.code}") from None
            if negative:
                raise ValueError(f"{amount} is negative")
        return value

    def fix_limits(self) -> FixLimits:
        """In micro-units."""
        limits = self.money_fix_limit.items()
        return FixLimits({currency: parse_amount(amount) for currency, amount in limits})

    def guardrail(self) -> Guardrail:
        return Guardrail(
            cuts=self.guardrail_cuts,
            share_ppm=self.guardrail_share_ppm,
            window=timedelta(minutes=self.guardrail_window_minutes),
            min_group=self.guardrail_min_group,
            rejected_for=timedelta(hours=self.guardrail_rejected_hours),
        )
