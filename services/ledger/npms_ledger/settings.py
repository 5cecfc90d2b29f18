"""Every variable of the ledger; all begin with NPMS_LEDGER_."""

from pydantic_settings import SettingsConfigDict

from npms_shared.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """The ledger needs nothing beyond what every service needs."""

    model_config = SettingsConfigDict(env_prefix="NPMS_LEDGER_")
