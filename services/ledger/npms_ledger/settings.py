"""Every variable of the ledger; all begin with NPMS_LEDGER_."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from npms_ledger.domain.guardrail import Guardrail
from npms_shared.settings import TwoPeopleSettings


class LedgerSettings(TwoPeopleSettings):
    """What the ledger needs beyond what every service needs."""

    model_config = SettingsConfigDict(env_prefix="NPMS_LEDGER_")

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

    def guardrail(self) -> Guardrail:
        return Guardrail(
            cuts=self.guardrail_cuts,
            share_ppm=self.guardrail_share_ppm,
            window=timedelta(minutes=self.guardrail_window_minutes),
            min_group=self.guardrail_min_group,
            rejected_for=timedelta(hours=self.guardrail_rejected_hours),
        )
