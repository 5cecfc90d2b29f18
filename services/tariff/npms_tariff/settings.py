"""Every variable of tariff, validated at start."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from npms_shared.settings import ServiceSettings


class TariffSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NPMS_TARIFF_", env_nested_delimiter="__")

    future_tolerance_s: int = Field(
        default=600, ge=0, description="a reading later than now by more is kept aside"
    )
