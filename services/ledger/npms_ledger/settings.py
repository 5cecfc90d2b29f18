"""Every variable of the ledger; all begin with NPMS_LEDGER_."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

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
