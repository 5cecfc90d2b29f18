"""Every variable of the notifier; all begin with NPMS_NOTIFIER_."""

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from npms_notifier.domain.contacts import Channel, contact
from npms_notifier.domain.errors import AddressRefused
from npms_notifier.domain.quiet_hours import QuietHours, parse_quiet_hours
from npms_shared.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NPMS_NOTIFIER_")

    brand: str = Field(
        default="NPMS", min_length=1, max_length=20, description="who speaks, in every message"
    )
    smtp_host: str = Field(min_length=1, description="mail server")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_sender: str = Field(description="address that e-mails come from")
    smtp_starttls: bool | None = Field(
        default=None,
        description="true demands STARTTLS, false never asks, unset takes what is offered",
    )
    smtp_username: str | None = Field(default=None, description="unset: no authentication")
    smtp_password: SecretStr | None = None
    sms_url: str = Field(
        pattern=r"^https?://", description="where the SMS operator takes messages by POST"
    )
    sms_api_key: SecretStr = Field(min_length=8, description="bearer token for the SMS operator")
    sms_sender: str = Field(default="NPMS", min_length=1, max_length=15)
    code_pepper: SecretStr = Field(
        min_length=32,
        description="key of the hashes of the codes that verify addresses; another one makes those"
        " just sent worthless",
    )
    quiet_hours: str | None = Field(
        default=None,
        description="local hours in which only what is urgent is sent, e.g. 21:00-07:00",
    )
    delivery_attempts: int = Field(default=6, ge=1, le=20)
    delivery_retry_s: float = Field(
        default=5, gt=0, le=3600, description="wait before the second attempt; then 4 times as long"
    )
    delivery_timeout_s: float = Field(default=10, gt=0, le=120, description="bounds one attempt")
    delivery_lease_s: float = Field(
        default=60, gt=0, le=600, description="after so long another process takes a delivery up"
    )
    delivery_idle_s: float = Field(
        default=0.5, gt=0, le=60, description="wait of a loop for which nothing was due"
    )

    @field_validator("smtp_sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            return contact(Channel.EMAIL, value).address
        except AddressRefused:
            raise ValueError("expected an e-mail address") from None

    @field_validator("quiet_hours")
    @classmethod
    def _has_form(cls, value: str | None) -> str | None:
        if value is not None:
            parse_quiet_hours(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.delivery_lease_s <= self.delivery_timeout_s:
            raise ValueError(
                "NPMS_NOTIFIER_DELIVERY_LEASE_S must be longer than "
                "NPMS_NOTIFIER_DELIVERY_TIMEOUT_S"
            )
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError(
                "NPMS_NOTIFIER_SMTP_USERNAME and NPMS_NOTIFIER_SMTP_PASSWORD go together"
            )
        return self

    @property
    def quiet(self) -> QuietHours | None:
        return parse_quiet_hours(self.quiet_hours) if self.quiet_hours else None
