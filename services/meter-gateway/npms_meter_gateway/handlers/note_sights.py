"""What polls show besides registers: power, voltage, the relay's state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from npms_meter_gateway.storage import installations, supplies
from npms_shared.clock import Clock
from npms_shared.db.engine import Database


@dataclass(frozen=True, slots=True)
class MeterSight:
    """One poll's answer; None for what the meter does not tell. `relay` is on, off or unknown."""

    installation_id: int
    seen_at: datetime
    register_wh: int | None
    power_w: int | None
    voltage_mv: int | None
    relay: str | None


async def note_sights(
    database: Database, clock: Clock, sights: Sequence[MeterSight], *, idle_power_w: int
) -> None:
    """Keep the newest sight of each meter; take up supplies seen other than desired."""
    newest = {sight.installation_id: sight for sight in sights}
    columns: dict[str, list[Any]] = {
        "installation_ids": list(newest),
        "seen_at": [sight.seen_at for sight in newest.values()],
        "power_w": [sight.power_w for sight in newest.values()],
        "voltage_mv": [sight.voltage_mv for sight in newest.values()],
        "relays": [sight.relay for sight in newest.values()],
    }
    async with database.transaction() as conn:
        await installations.note_sights(conn, columns)
        await supplies.unsettle(conn, columns, idle_power_w=idle_power_w, now=clock.wall_now())
