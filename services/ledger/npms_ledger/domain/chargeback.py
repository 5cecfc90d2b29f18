"""A payer's bank takes money back that was used: what the customer is left, for how long."""

from datetime import datetime, timedelta

from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import Position


def grace_until(
    position: Position, policy: CreditPolicy, *, amount_micro: int, now: datetime
) -> datetime | None:
    """Until when the supply stays on after a chargeback; None where nothing has to be said.

    Only a supply that is on and would lose its credit is kept on, and never for less time than it
    was promised before.
    """
    until = now + timedelta(hours=policy.chargeback_grace_hours)
    left_micro = position.balance_micro - amount_micro
    kept_longer = position.keep_on_until is not None and position.keep_on_until >= until
    if (
        until == now
        or kept_longer
        or position.closed
        or not position.supply_on
        or left_micro > policy.floor_micro
    ):
        return None
    return until
