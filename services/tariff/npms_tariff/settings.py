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
