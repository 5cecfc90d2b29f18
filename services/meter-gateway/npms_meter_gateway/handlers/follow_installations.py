"""A meter begins or ends to serve an account."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.addressing import line_address
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.handlers.command_log import close_commands
from npms_meter_gateway.handlers.raise_event import clear_all_alarms
from npms_meter_gateway.storage import installations, readings
from npms_shared.addresses import canonical_host
from npms_shared.clock import Clock
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened, MeterConnection
from npms_shared.db.engine import Database
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import Unprocessable

Fingerprint = tuple[int, int]

log = structlog.get_logger()


async def polled_installations(
    database: Database, holder: UUID, known: Fingerprint | None
) -> tuple[Sequence[Row[Any]] | None, Fingerprint]:
    """Every installation whose meter the worker reads, or None while they are those of `known`."""
    async with database.connect() as conn:
        fingerprint = await installations.polled_fingerprint(conn, holder)
        if fingerprint == known:
            return None, fingerprint
        return await installations.polled(conn, holder), fingerprint


async def open_installation(
    conn: AsyncConnection,
    event: InstallationOpened,
    *,
    profiles: Mapping[str, Profile],
    partitions: int,
) -> None:
    """Unprocessable for a profile or address that cannot be, and for a meter still in use."""
    meter = _spelled(event.meter)
    event = event.model_copy(update={"meter": meter})
    profile = profiles.get(meter.profile)
    if profile is None:
        raise Unprocessable("unknown_profile", f"no profile {meter.profile!r} is loaded")
    try:
        line_address(profile.driver, serial=meter.serial, unit_id=meter.unit_id)
    except ValueError as fault:
        raise Unprocessable("bad_serial", str(fault)) from None
    partition = partition_of(event.account_id, partitions)
    try:
        await installations.open_installation(conn, event, partition=partition)
    except installations.MeterInUse:
        raise Unprocessable(
            "meter_in_use",
            f"unit {meter.unit_id} at {meter.host}:{meter.port} serves another open installation",
        ) from None
    if not profile.is_certain:
        log.warning(
            "uncertain_profile",
            installation_id=event.installation_id,
            profile=profile.code,
            confidence=profile.confidence,
        )


def _spelled(meter: MeterConnection) -> MeterConnection:
    """With the one spelling of its host, so that a gateway has one line; Unprocessable where there
    can be no such address.
    """
    if not (0 <= meter.port <= 0xFFFF and 0 <= meter.unit_id <= 0xFF):
        raise Unprocessable("bad_address", f"port {meter.port}, unit {meter.unit_id}")
    if not meter.port:
        return meter
    try:
        return meter.model_copy(update={"host": canonical_host(meter.host)})
    except ValueError as fault:
        raise Unprocessable("bad_address", str(fault)) from None


async def close_installation(
    conn: AsyncConnection, event: InstallationClosed, clock: Clock
) -> None:
    """No reading is accepted from here on, whoever has the installation in memory; what was open
    of its meter is over.

    Unprocessable where it is not open: its opening may wait, parked.
    """
    partition = await installations.close_installation(conn, event)
    await close_commands(conn, event.installation_id, 0, "abandoned", now=event.closed_at)
    if partition is None:
        raise Unprocessable("unknown_installation", f"{event.installation_id} is not open")
    await readings.take_turns(conn, [partition])
    await clear_all_alarms(
        conn, clock, installation_id=event.installation_id, detail="the installation was closed"
    )
