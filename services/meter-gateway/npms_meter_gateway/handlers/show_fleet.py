"""The fleet for people to look at: gateways, sites, lines; and what a line is set to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from npms_meter_gateway.domain.allowed_addresses import ANYTHING, AllowedAddresses
from npms_meter_gateway.storage import alarms, gateways, installations
from npms_shared.clock import Clock
from npms_shared.db.engine import Database

LATE_AFTER_INTERVALS = 3


class UnknownGateway(Exception):
    """There is no such gateway."""


class DeviceMissing(Exception):
    """A serial line without its device."""


class DeviceNotAllowed(Exception):
    """No serial device, or none that may be opened; the text says why."""


@dataclass(frozen=True, slots=True)
class MeterFilter:
    """Which meters are wanted; all, where nothing is said."""

    serial: str | None = None
    link: str | None = None
    gateway_id: int | None = None
    late: bool = False
    against_desired: bool = False


@dataclass(frozen=True, slots=True)
class FleetView:
    """A meter is late when nothing of it was seen for three intervals (business seconds)."""

    database: Database
    clock: Clock
    interval_s: float
    allowed: AllowedAddresses = ANYTHING

    async def meters(self, wanted: MeterFilter, *, after: int, limit: int) -> Sequence[Row[Any]]:
        """Installations with an id above `after`, in the order of their ids."""
        async with self.database.connect() as conn:
            return await installations.list_meters(
                conn, asdict(wanted), late_before=self._late_before(), after=after, limit=limit
            )

    async def gateways(self, *, after: int, limit: int) -> Sequence[Row[Any]]:
        """Gateways with an id above `after`, each with counts of its meters."""
        async with self.database.connect() as conn:
            return await gateways.list_gateways(
                conn, after=after, limit=limit, late_before=self._late_before()
            )

    async def gateway(self, gateway_id: int) -> Row[Any] | None:
        """None where there is no such gateway."""
        async with self.database.connect() as conn:
            return await gateways.show_gateway(conn, gateway_id, late_before=self._late_before())

    async def sites(self) -> Sequence[Row[Any]]:
        """Every site with counts of its gateways and meters."""
        async with self.database.connect() as conn:
            return await gateways.count_by_site(conn, late_before=self._late_before())

    async def quality(self, gateway_id: int, *, hours: int) -> Sequence[Row[Any]]:
        """A gateway's line in each of the last hours in which something was asked."""
        since = self.clock.wall_now() - timedelta(hours=hours)
        async with self.database.connect() as conn:
            return await gateways.show_quality(conn, gateway_id, since=since)

    async def change(self, gateway_id: int, changes: Mapping[str, Any], *, by: str) -> None:
        """Lines are opened anew with what changed; kept with who changed it.

        Raises UnknownGateway, DeviceMissing, DeviceNotAllowed.
        """
        async with self.database.transaction() as conn:
            row = await gateways.lock_settings(conn, gateway_id)
            if row is None:
                raise UnknownGateway
            known = dict(row._mapping)
            self._check_device({**known, **changes})
            after = {name: value for name, value in changes.items() if known[name] != value}
            if not after:
                return
            await gateways.change_gateway(conn, gateway_id, after)
            before = {name: known[name] for name in after}
            now = self.clock.wall_now()
            await gateways.note_change(conn, gateway_id, by=by, before=before, after=after, now=now)

    def _check_device(self, settings: Mapping[str, Any]) -> None:
        device = settings["device"]
        if settings["transport"] == "serial" and not device:
            raise DeviceMissing
        fault = self.allowed.fault_of_device(device) if device else None
        if fault is not None:
            raise DeviceNotAllowed(fault)

    async def changes(
        self, gateway_id: int, *, before: int | None, limit: int
    ) -> Sequence[Row[Any]]:
        """What people changed of a gateway, newest first."""
        async with self.database.connect() as conn:
            return await gateways.list_changes(conn, gateway_id, before=before, limit=limit)

    def _late_before(self) -> Any:
        return self.clock.now() - timedelta(seconds=self.interval_s * LATE_AFTER_INTERVALS)

    async def open_alarms(self) -> Mapping[str, int]:
        """How many alarms are open, by kind."""
        async with self.database.connect() as conn:
            return await alarms.count_open(conn)
