"""Every variable of tariff; all begin with NPMS_TARIFF_."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from npms_shared.settings import ServiceSettings


class TariffSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NPMS_TARIFF_")

    future_tolerance_s: int = Field(
        default=600, ge=0, description="a reading later than now by more is kept aside"
    )
    provisional_after_h: int = Field(
        default=24,
        ge=0,
        description="hours without a reading after which days are charged by estimate; 0 never",
    )
    hours_kept_months: int = Field(
        default=25,
        ge=2,
        le=600,
        description="whole months for which usage by hour is kept; days and months are for ever",
    )
