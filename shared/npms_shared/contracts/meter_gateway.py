"""What the meter gateway says."""

from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from npms_shared.contracts.base import Batch, Event


class MeterGatewayEvent(Event):
    publisher: ClassVar[str] = "meter-gateway"


class HoldLift(BaseModel):
    """A person has decided of every register of an installation that fell, up to the one at
    `taken_at_s`: rating goes on from `last_register_wh`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    installation_id: int
    taken_at_s: int
    register_wh: int
    last_register_wh: int
    by: str
    note: str


class ReadingsBatch(Batch):
    """Validated readings of one partition, in time order per installation.

    `taken_at_s` is epoch seconds, `register_wh` the cumulative import register. `lifts` come
    before the readings.
    """

    publisher: ClassVar[str] = "meter-gateway"
    name: ClassVar[str] = "readings_recorded.v1"

    installation_id: list[int]
    account_id: list[int]
    taken_at_s: list[int]
    register_wh: list[int]
    lifts: tuple[HoldLift, ...] = ()

    def __len__(self) -> int:
        return len(self.installation_id)


class ProfilePublished(MeterGatewayEvent):
    """A device profile this gateway can read; told at every start."""

    name: ClassVar[str] = "profile_published.v1"

    profile: str
    vendor: str
    model: str
    has_relay: bool
    can_limit: bool = False
    serial_pattern: str = Field(
        default="", description="regular expression of the serials its meters have; empty: any"
    )


class SupplyReported(MeterGatewayEvent):
    """What the relay was seen to be; `verified` only from a read-back, never from a write.

    `limit_w` is the load limit that was read back; None where there is none. `awaits` tells what
    is still to come: the `customer` has to close the relay on the meter, `power` that proves it
    closed, or the `link` to the meter, which is down (the state is unknown then). `desired_state`
    is that of the revision it was worked toward. `blocked_by` tells why it is not worked toward at
    all, empty where it is: `suspect` (another meter answers), `moved` (by hand), `no_relay`,
    `pushed` (it sends its readings and cannot be reached), `stopped` (the gateway opens no more
    supplies); others may come.
    """

    name: ClassVar[str] = "supply_reported.v1"

    installation_id: int
    account_id: int
    state: Literal["on", "off", "unknown"]
    desired_revision: int | None
    verified: bool
    observed_at: AwareDatetime
    detail: str = ""
    limit_w: int | None = None
    awaits: Literal["", "customer", "power", "link"] = ""
    desired_state: Literal["on", "off"] | None = None
    blocked_by: str = ""


class RegisterFell(MeterGatewayEvent):
    """A meter was read below its last good register, and it was neither a rollover nor the
    display's jitter. That reading is kept aside; `last_register_wh` stands. Told at each such
    reading.
    """

    name: ClassVar[str] = "register_fell.v1"

    installation_id: int
    account_id: int
    taken_at: AwareDatetime
    register_wh: int
    last_register_wh: int


class MeterEventRaised(MeterGatewayEvent):
    """A person should see this: `unreachable`, `back`, `relay_stuck` …"""

    name: ClassVar[str] = "meter_event_raised.v1"

    installation_id: int
    account_id: int
    kind: str
    detail: str
    raised_at: AwareDatetime
    severity: Literal["info", "warning", "critical"] | None = None


class MeterEventCleared(MeterGatewayEvent):
    """What was raised, and lasted, is over."""

    name: ClassVar[str] = "meter_event_cleared.v1"

    installation_id: int
    account_id: int
    kind: str
    detail: str
    raised_at: AwareDatetime
    cleared_at: AwareDatetime


EVENTS = (ProfilePublished, SupplyReported, RegisterFell, MeterEventRaised, MeterEventCleared)
BATCHES = (ReadingsBatch,)
