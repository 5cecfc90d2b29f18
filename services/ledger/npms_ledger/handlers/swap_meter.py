"""A new meter in the place of an old one: registers are never compared, the usage point stays."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import audit_facts, books
from npms_ledger.handlers.admit_meter import admit_meter
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.close_installations import check_closing_register, close_one
from npms_ledger.handlers.installation_errors import (
    InstallationIsClosed,
    InstallationUnknown,
)
from npms_ledger.handlers.move_money import take_open
from npms_ledger.handlers.open_account import meter_taken, refuse_taken
from npms_ledger.handlers.supply_changes import desire_first
from npms_ledger.storage import installations, views
from npms_shared.actor import Actor
from npms_shared.contracts.ledger import (
    InstallationOpened,
    MeterConnection,
    SupplyDesired,
)
from npms_shared.db import audit_trail
from npms_shared.messaging import outbox


@dataclass(frozen=True, slots=True)
class SwapMeter:
    """`closing_register_wh` is the old meter's last, `opening_register_wh` the new one's first."""

    account_id: int
    installation_id: int
    closing_register_wh: int
    meter: MeterConnection
    opening_register_wh: int
    reason: str


async def swap_meter(conn: AsyncConnection, command: SwapMeter, *, by: Actor, now: datetime) -> int:
    """Close one installation and open the other, in one transaction; returns the new one's id.

    Raises AccountUnknown, AccountIsClosed, InstallationUnknown, InstallationIsClosed,
    RegisterBelowBilled, ProfileUnknown, MeterUnfit, MeterTaken.
    """
    account = await take_open(conn, command.account_id)
    old = await lock_installation(conn, command.account_id, command.installation_id)
    await check_closing_register(conn, old.installation_id, command.closing_register_wh)
    command = replace(command, meter=await admit_meter(conn, command.meter))
    await close_one(
        conn,
        old.installation_id,
        account_id=command.account_id,
        register_wh=command.closing_register_wh,
        now=now,
    )
    await refuse_taken(conn, command.meter)
    installation_id = await _open_new(conn, command, old, now)
    cause = Cause("person", subject=by.subject)
    desired = await desire_first(conn, account, installation_id, now=now, cause=cause)
    await _say_opened(conn, command, old, desired=desired, now=now)
    await _note(conn, command, old, installation_id=installation_id, by=by, now=now)
    return installation_id


async def lock_installation(
    conn: AsyncConnection, account_id: int, installation_id: int
) -> Row[Any]:
    """An open installation of an account. Raises InstallationUnknown, InstallationIsClosed."""
    found = await installations.lock_one(conn, installation_id)
    if found is None or found.account_id != account_id:
        raise InstallationUnknown(installation_id)
    if found.closed_at is not None:
        raise InstallationIsClosed(installation_id)
    return found


async def _open_new(conn: AsyncConnection, command: SwapMeter, old: Row[Any], now: datetime) -> int:
    try:
        return await installations.insert_installation(
            conn,
            {
                "account_id": command.account_id,
                "usage_point_id": old.usage_point_id,
                **command.meter.model_dump(),
                "plan_code": old.plan_code,
                "opening_register_wh": command.opening_register_wh,
                "now": now,
            },
        )
    except IntegrityError:
        raise meter_taken(command.meter, serial=command.meter.serial) from None


async def _say_opened(
    conn: AsyncConnection,
    command: SwapMeter,
    old: Row[Any],
    *,
    desired: SupplyDesired,
    now: datetime,
) -> None:
    subject = str(command.account_id)
    facts = await views.account(conn, command.account_id)
    assert facts is not None
    point = await installations.usage_point(conn, old.usage_point_id)
    assert point is not None
    (account,) = (await books.take_locked(conn, [command.account_id])).values()
    opened = InstallationOpened(
        installation_id=desired.installation_id,
        account_id=command.account_id,
        customer_id=facts.customer_id,
        usage_point_id=old.usage_point_id,
        commodity=point.commodity,
        meter=command.meter,
        opening_register_wh=command.opening_register_wh,
        max_power_w=point.max_power_w,
        plan_code=old.plan_code,
        currency=account.currency,
        time_zone=facts.time_zone,
        opened_at=now,
        customer_class=facts.customer_class,
        replaces_installation_id=old.installation_id,
    )
    await outbox.publish(conn, opened, subject=subject)
    await outbox.publish(conn, desired, subject=subject)


async def _note(
    conn: AsyncConnection,
    command: SwapMeter,
    old: Row[Any],
    *,
    installation_id: int,
    by: Actor,
    now: datetime,
) -> None:
    await audit_trail.note(
        conn,
        by,
        "meter_swapped",
        subject=audit_facts.of_account(command.account_id),
        now=now,
        reason=command.reason,
        before={
            "installation_id": old.installation_id,
            "meter": old.serial,
            "closing_register_wh": command.closing_register_wh,
        },
        after={
            "installation_id": installation_id,
            "meter": command.meter.serial,
            "opening_register_wh": command.opening_register_wh,
        },
    )
