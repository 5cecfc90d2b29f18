"""A meter begins or ends to serve an account: in the order in which it happened, however heard.

An opening whose meter serves another installation waits for that one's closing; a closing waits
for its opening. Nothing has to be replayed then.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.addressing import line_address
from npms_meter_gateway.domain.meters import PolledInstallation
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.handlers.block_supply import tell_unreachable
from npms_meter_gateway.handlers.command_log import close_commands
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_all_alarms, raise_alarm, raise_event
from npms_meter_gateway.storage import early_events, gateways, installations, readings
from npms_shared.addresses import canonical_host
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened, MeterConnection
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import Unprocessable

Fingerprint = tuple[int, int]

log = structlog.get_logger()


async def polled_installations(
    conn: AsyncConnection, holder: UUID, known: Fingerprint | None
) -> tuple[Sequence[PolledInstallation] | None, Fingerprint]:
    """Every installation whose meter the worker reads, or None while they are those of `known`."""
    fingerprint = await installations.polled_fingerprint(conn, holder)
    if fingerprint == known:
        return None, fingerprint
    return await installations.polled(conn, holder), fingerprint


async def open_installation(
    conn: AsyncConnection, context: Context, event: InstallationOpened
) -> None:
    """Raises Unprocessable for a profile or address that cannot be."""
    event = event.model_copy(update={"meter": _spelled(event.meter)})
    profile = _profile_of(context, event.meter)
    await early_events.take_turn(conn)
    try:
        partition = partition_of(event.account_id, context.partitions)
        await installations.open_installation(conn, event, partition=partition)
    except installations.MeterInUse:
        await _wait_for_meter(conn, context, event)
        return
    if not profile.is_certain:
        log.warning(
            "uncertain_profile",
            installation_id=event.installation_id,
            profile=profile.code,
            confidence=profile.confidence,
        )
    await _tell_of_address(conn, context, event)
    await tell_unreachable(conn, context, event.installation_id)
    early = await early_events.take(conn, event.installation_id, "closed")
    if early is not None:
        await close_installation(conn, context, InstallationClosed.model_validate_json(early))


def _profile_of(context: Context, meter: MeterConnection) -> Profile:
    profile = context.profiles.get(meter.profile)
    if profile is None:
        raise Unprocessable("unknown_profile", f"no profile {meter.profile!r} is loaded")
    try:
        line_address(profile.driver, serial=meter.serial, unit_id=meter.unit_id)
    except ValueError as fault:
        raise Unprocessable("bad_serial", str(fault)) from None
    return profile


async def _wait_for_meter(
    conn: AsyncConnection, context: Context, event: InstallationOpened
) -> None:
    """A person hears of it at once: it may also be an address that was given twice."""
    meter = event.meter
    place = (meter.port, meter.unit_id)
    await early_events.keep(
        conn,
        event.installation_id,
        "opened",
        event.model_dump_json(),
        now=context.clock.wall_now(),
        place=place,
    )
    served = await installations.served_by(conn, meter.host, *place)
    if served is not None:
        await raise_alarm(
            conn,
            context,
            installation_id=served[0],
            account_id=served[1],
            kind="meter_in_use",
            detail=f"installation {event.installation_id} was opened at its meter, and waits",
        )


async def _tell_of_address(
    conn: AsyncConnection, context: Context, event: InstallationOpened
) -> None:
    """Where it is outside what lines may be opened to, as far as that shows already."""
    meter = event.meter
    if not meter.port or await gateways.is_serial(conn, meter.host, meter.port):
        return
    fault = context.allowed.fault_of_address(_ip_of(meter.host), meter.port)
    if fault is not None:
        await raise_event(
            conn,
            context,
            installation_id=event.installation_id,
            account_id=event.account_id,
            kind="address_refused",
            detail=fault,
        )


async def close_installation(
    conn: AsyncConnection, context: Context, event: InstallationClosed
) -> None:
    """No reading is accepted from here on, whoever has the installation in memory; what was
    open of its meter is over, and who waited for the meter gets it. One that was closed before
    stays as it is.
    """
    await early_events.take_turn(conn)
    partition = await installations.close_installation(conn, event)
    await close_commands(conn, event.installation_id, 0, "abandoned", now=event.closed_at)
    if partition is None:
        await _wait_for_opening(conn, context, event)
        return
    await readings.take_turns(conn, [partition])
    await clear_all_alarms(
        conn,
        context,
        installation_id=event.installation_id,
        detail="the installation was closed",
    )
    for waiting, opening in await early_events.openings_after(conn, event.installation_id):
        await early_events.take(conn, waiting, "opened")
        await open_installation(conn, context, InstallationOpened.model_validate_json(opening))


async def _wait_for_opening(
    conn: AsyncConnection, context: Context, event: InstallationClosed
) -> None:
    if await readings.is_known(conn, event.installation_id):
        return
    log.warning("closed_before_opened", installation_id=event.installation_id)
    await early_events.keep(
        conn,
        event.installation_id,
        "closed",
        event.model_dump_json(),
        now=context.clock.wall_now(),
    )


def _ip_of(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None


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
