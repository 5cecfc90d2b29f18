"""Counts cuts before they are sent, and holds them where they are too many."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger import metrics
from npms_ledger.domain.account import Account
from npms_ledger.domain.guardrail import ALL, Guardrail, cuts_by_group
from npms_ledger.domain.position import CutHold
from npms_ledger.storage import decisions, held_cuts
from npms_shared.contracts.ledger import MassCutHeld
from npms_shared.ids import new_id
from npms_shared.messaging import outbox

_in_force = Guardrail()


def use(guardrail: Guardrail) -> None:
    """Set the limits of this process: every transaction that cuts is under the same ones."""
    global _in_force  # noqa: PLW0603 - set once, where the process is put together
    _in_force = guardrail


async def hold_mass_cuts(conn: AsyncConnection, accounts: Sequence[Account], now: datetime) -> None:
    """Keep on, and put on a list, what these accounts' decisions cut beyond the limits.

    What a person approved passes, and is not counted.
    """
    cutting = [a for a in accounts if a.is_cut and a.hold_was is not CutHold.APPROVED]
    if not cutting:
        return
    await held_cuts.lock(conn)
    grounds = await _grounds(conn, cutting, now)
    for group, ground in grounds.items():
        caught = [a for a in cutting if _group(a, grounds) == group]
        if caught:
            await _hold(conn, caught, group=group, ground=ground, now=now)


async def leave_lists(conn: AsyncConnection, accounts: Sequence[Account], now: datetime) -> None:
    """Take off their lists whose cut is no longer held: paid, cut, protected, closed …"""
    left = {
        account.account_id: account.reason.value
        for account in accounts
        if account.hold_was is not CutHold.NONE and account.position.cut_hold is CutHold.NONE
    }
    if left:
        await held_cuts.lock(conn)
        await held_cuts.leave(conn, left, now)


async def _grounds(
    conn: AsyncConnection, cutting: Sequence[Account], now: datetime
) -> dict[str | None, str]:
    """The groups whose limits these cuts exceed, with the ground; policies before all."""
    since = now - _in_force.window
    asked = Counter(account.policy_code for account in cutting)
    groups = cuts_by_group(
        asked,
        await decisions.cuts_since(conn, since),
        await held_cuts.waiting_since(conn, since),
    )
    grounds: dict[str | None, str] = {}
    for group in (*asked, ALL):
        cuts = groups[group]
        size = await held_cuts.group_size(conn, group, most=_in_force.most_counted(cuts))
        if (ground := _in_force.ground(group, cuts=cuts, size=size)) is not None:
            grounds[group] = ground
    return grounds


def _group(account: Account, grounds: dict[str | None, str]) -> str | None:
    return account.policy_code if account.policy_code in grounds else ALL


async def _hold(
    conn: AsyncConnection,
    caught: Sequence[Account],
    *,
    group: str | None,
    ground: str,
    now: datetime,
) -> None:
    again = {a.account_id: "held_again" for a in caught if a.hold_was is not CutHold.NONE}
    if again:
        await held_cuts.leave(conn, again, now)
    mass_cut_id, opened = await held_cuts.open_or_join(
        conn, new_id(), policy_code=group, ground=ground, now=now
    )
    rows = [_row(account, mass_cut_id, now) for account in caught]
    for account in caught:
        account.hold_cut(now)
    await held_cuts.hold(conn, rows, now)
    metrics.CUTS_HELD.inc(len(caught))
    if opened:
        event = MassCutHeld(
            mass_cut_id=mass_cut_id,
            policy_code=group,
            accounts=len(caught),
            ground=ground,
            opened_at=now,
        )
        await outbox.publish(conn, event, subject=str(mass_cut_id))


def _row(account: Account, mass_cut_id: UUID, now: datetime) -> dict[str, object]:
    return {
        "mass_cut_id": mass_cut_id,
        "account_id": account.account_id,
        "policy_code": account.policy_code,
        "policy_version": account.policy_version,
        "balance_micro": account.position.balance_micro,
        "floor_micro": account.policy_at(now).floor_micro,
        "amount_to_clear_micro": account.amount_to_clear(now),
    }
