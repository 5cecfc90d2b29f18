"""Every variable of the meter gateway; all begin with NPMS_METER_GATEWAY_."""

import re
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from npms_meter_gateway.domain.allowed_addresses import (
    AllowedAddresses,
    devices_of,
    networks_of,
    ports_of,
)
from npms_meter_gateway.domain.broker import broker_of
from npms_shared.settings import ServiceSettings


class MeterGatewaySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NPMS_METER_GATEWAY_")

    poll: bool = Field(
        default=True, description="whether this worker reads meters and switches relays"
    )
    poll_interval_s: float = Field(
        default=900, gt=0, description="business seconds between two readings of a meter"
    )
    fast_interval_s: float = Field(
        default=0, ge=0, description="business seconds between two looks at power; 0 is never"
    )
    slow_interval_s: float = Field(
        default=86_400, ge=0, description="business seconds between two slow polls; 0 is never"
    )
    connects_per_s: float = Field(
        default=100, gt=0, description="connections to gateways opened at most, a second"
    )
    allowed_networks: str = Field(
        default="10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        description="networks in which gateways may be, separated by commas",
    )
    allowed_ports: str = Field(
        default="26,502-503,802,1502,4001-4032,4196,8899,10001-10032,20108",
        description="ports and ranges of ports at which gateways may listen",
    )
    allowed_devices: str = Field(
        default="/dev/ttyUSB*,/dev/ttyACM*,/dev/ttyS*,/dev/ttyAMA*,/dev/ttymxc*,"
        "/dev/serial/by-id/*,/dev/serial/by-path/*",
        description="serial devices that gateways may be, with * and ?",
    )
    lease_s: float = Field(
        default=10, ge=1, description="how long a silent worker keeps its gateways, in seconds"
    )
    meter_clock_zone: str = Field(
        default="UTC", description="time zone by which the clocks of meters go"
    )
    meter_clock_limit_s: int = Field(
        default=60, ge=1, description="a meter's clock further off than that is set, once a day"
    )
    future_tolerance_s: int = Field(
        default=300, ge=0, description="how far ahead of our clock a reading may be, in seconds"
    )
    held_kept_days: int = Field(
        default=400,
        ge=0,
        description="days that rejected and superseded readings are kept; 0 for ever",
    )
    sent_for_polled: Literal["refuse", "mark"] = Field(
        default="refuse",
        description="what becomes of a reading that is sent for a meter that is polled: it is "
        "refused, or taken with a mark",
    )
    profiles_path: Path | None = Field(
        default=None, description="folder with further device profiles (*.yaml)"
    )
    unit_first_pause_s: float = Field(
        default=30, gt=0, description="pause after a unit's second failed poll; doubles"
    )
    unit_longest_pause_s: float = Field(default=300, gt=0, description="longest such pause")
    relay_first_pause_s: float = Field(
        default=5, gt=0, description="cool-down after a failed relay attempt; doubles"
    )
    relay_longest_pause_s: float = Field(default=600, gt=0, description="longest such cool-down")
    relay_alarm_after: int = Field(
        default=3, ge=1, description="failed attempts after which relay_stuck is raised"
    )
    relay_moved: Literal["report", "reopen", "restore"] = Field(
        default="report",
        description="what follows when somebody else moved a relay: leave it and report, reopen it "
        "but never close it, or restore it",
    )
    supply_open_cap: int = Field(
        default=1000,
        ge=1,
        description="most supplies that all workers together switch off within the window, "
        "whatever they are told; then none is until an operator lets it",
    )
    supply_open_window_s: int = Field(default=3600, ge=1, description="the window, in real seconds")
    reconnect_per_minute: float = Field(
        default=1200, gt=0, description="most supplies switched on a minute, in all"
    )
    reconnect_per_minute_and_place: float = Field(
        default=120,
        gt=0,
        description="most supplies switched on a minute at one site, or gateway without a site",
    )
    relay_concurrency: int = Field(
        default=16, ge=1, description="relays worked on at the same time"
    )

    dlt645_password: SecretStr = Field(
        default=SecretStr("00000000"),
        description="PA P0 P1 P2 of DL/T 645 meters in hexadecimal, as they are sent",
    )
    dlt645_operator: SecretStr = Field(
        default=SecretStr("00000000"), description="operator code, C0 to C3, likewise"
    )
    mqtt_url: str = Field(
        default="",
        description="MQTT broker to take readings from, mqtt[s]://user@host:port; empty is off",
    )
    mqtt_password: SecretStr = Field(default=SecretStr(""), description="password at the broker")
    mqtt_client_id: str = Field(
        default="npms-meter-gateway", description="names our session at the broker", min_length=1
    )
    mqtt_topic_prefix: str = Field(
        default="npms/v1", description="what our topics begin with", pattern=r"^[^+#\s]*[^+#/\s]$"
    )

    @field_validator("dlt645_password", "dlt645_operator")
    @classmethod
    def _is_four_bytes(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch("[0-9A-Fa-f]{8}", value.get_secret_value()):
            raise ValueError("expected eight hexadecimal digits")
        return value

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks_of(value)
        return value

    @field_validator("allowed_ports")
    @classmethod
    def _are_ports(cls, value: str) -> str:
        ports_of(value)
        return value

    @field_validator("allowed_devices")
    @classmethod
    def _are_devices(cls, value: str) -> str:
        devices_of(value)
        return value

    @property
    def allowed(self) -> AllowedAddresses:
        """What lines may be opened to."""
        return AllowedAddresses(
            networks_of(self.allowed_networks),
            ports_of(self.allowed_ports),
            devices_of(self.allowed_devices),
        )

    @field_validator("mqtt_url")
    @classmethod
    def _is_of_mqtt(cls, value: str) -> str:
        if value:
            broker_of(value)
        return value

    @field_validator("meter_clock_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no such time zone: {value}")
        return value

    @field_validator("profiles_path")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"no such folder: {value}")
        return value
