"""Gateways for people to look at; and what their lines are set to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.fleet import GatewayChange, KnownGateway, QualityHour
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.list_meters import late_before
from npms_meter_gateway.storage import gateways
from npms_shared.actor import Actor
from npms_shared.db import audit_trail


class UnknownGateway(Exception):
    """There is no such gateway."""


class DeviceMissing(Exception):
    """A serial line without its device."""


class DeviceNotAllowed(Exception):
    """No serial device, or none that may be opened; the text says why."""


async def list_gateways(
    conn: AsyncConnection, context: Context, *, after: int, limit: int
) -> Sequence[KnownGateway]:
    """Gateways with an id above `after`, each with counts of its meters."""
    return await gateways.list_gateways(
        conn, after=after, limit=limit, late_before=late_before(context)
    )


async def get_gateway(conn: AsyncConnection, context: Context, gateway_id: int) -> KnownGateway:
    """Raises UnknownGateway."""
    found = await gateways.find_gateway(conn, gateway_id, late_before=late_before(context))
    if found is None:
        raise UnknownGateway
    return found


async def list_quality(
    conn: AsyncConnection, context: Context, gateway_id: int, *, hours: int
) -> Sequence[QualityHour]:
    """A gateway's line in each of the last hours in which something was asked. Raises
    UnknownGateway.
    """
    await get_gateway(conn, context, gateway_id)
    since = context.clock.wall_now() - timedelta(hours=hours)
    return await gateways.list_quality(conn, gateway_id, since=since)


async def list_changes(
    conn: AsyncConnection, context: Context, gateway_id: int, *, before: int | None, limit: int
) -> Sequence[GatewayChange]:
    """What people changed of a gateway, newest first. Raises UnknownGateway."""
    await get_gateway(conn, context, gateway_id)
    return await gateways.list_changes(conn, gateway_id, before=before, limit=limit)


async def change_gateway(
    conn: AsyncConnection,
    context: Context,
    gateway_id: int,
    changes: Mapping[str, Any],
    *,
    by: Actor,
) -> KnownGateway:
    """Lines are opened anew with what changed; kept with who changed it.

    Raises UnknownGateway, DeviceMissing, DeviceNotAllowed.
    """
    settings = await gateways.lock_settings(conn, gateway_id)
    if settings is None:
        raise UnknownGateway
    known = asdict(settings)
    _check_device(context, {**known, **changes})
    after = {name: value for name, value in changes.items() if known[name] != value}
    if after:
        await gateways.change_gateway(conn, gateway_id, after)
        before = {name: known[name] for name in after}
        await _note(conn, context, gateway_id, before, after, by)
    return await get_gateway(conn, context, gateway_id)


async def _note(
    conn: AsyncConnection,
    context: Context,
    gateway_id: int,
    before: dict[str, Any],
    after: dict[str, Any],
    by: Actor,
) -> None:
    now = context.clock.wall_now()
    await gateways.note_change(conn, gateway_id, by=by.subject, before=before, after=after, now=now)
    await audit_trail.note(
        conn,
        by,
        "gateway_changed",
        subject=f"gateway:{gateway_id}",
        now=context.clock.now(),
        before=before,
        after=after,
    )


def _check_device(context: Context, settings: Mapping[str, Any]) -> None:
    device = settings["device"]
    if settings["transport"] == "serial" and not device:
        raise DeviceMissing
    fault = context.allowed.fault_of_device(device) if device else None
    if fault is not None:
        raise DeviceNotAllowed(fault)
