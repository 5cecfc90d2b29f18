"""An account's credits as DLMS sees them: each an object with a priority and a state.

The balance, emergency credit and every grant go through the same states: enabled (it will come),
selectable (it waits for its acceptance), invoked (it comes next without asking), in_use, exhausted.
At most one is in use: the first, by priority, that still has something to give.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from npms_ledger.domain.grant import (
    BALANCE_PRIORITY,
    EMERGENCY_PRIORITY,
    ChargeKind,
    Grant,
    GrantKind,
)
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import EmergencyState, Position
from npms_ledger.domain.waterfall import drawable_micro


@dataclass(frozen=True, slots=True)
class Credit:
    """`kind` is balance, grant, time or emergency; `number` that of a grant, None for the others.

    `available_micro` is what it can still give; a time credit has no amount.
    """

    kind: str
    number: int | None
    label: str
    priority: int
    state: EmergencyState
    available_micro: int
    ends_at: datetime | None = None
    grant: Grant | None = None


def credits_of(
    position: Position, every: tuple[Grant, ...], policy: CreditPolicy
) -> tuple[Credit, ...]:
    """All credits by priority, with `every` grant that the account ever had."""
    found = [_balance(position, policy), *(_granted(grant) for grant in every)]
    if policy.emergency is not None:
        found.append(_emergency(position, policy))
    ordered = sorted(found, key=lambda credit: (credit.priority, credit.number or 0))
    return tuple(_one_in_use(ordered))


def _balance(position: Position, policy: CreditPolicy) -> Credit:
    available = max(0, position.balance_micro - policy.floor_micro)
    state = EmergencyState.INVOKED if available else EmergencyState.EXHAUSTED
    return Credit("balance", None, "", BALANCE_PRIORITY, state, available)


def _granted(grant: Grant) -> Credit:
    terms = grant.terms
    is_time = terms.kind is GrantKind.TIME
    alive = not grant.ended and (is_time or grant.remaining_micro > 0)
    state = EmergencyState.INVOKED if alive else EmergencyState.EXHAUSTED
    return Credit(
        "time" if is_time else "grant",
        grant.number,
        terms.label,
        terms.priority,
        state,
        grant.remaining_micro,
        ends_at=grant.ends_at,
        grant=grant,
    )


def _emergency(position: Position, policy: CreditPolicy) -> Credit:
    state = position.emergency
    if state is EmergencyState.IN_USE:
        state = EmergencyState.INVOKED
    available = drawable_micro(position, policy)
    return Credit("emergency", None, "", EMERGENCY_PRIORITY, state, available)


def _one_in_use(ordered: list[Credit]) -> list[Credit]:
    """The first that consumption can draw on is in use, what comes after it waits enabled."""
    shown: list[Credit] = []
    used = False
    for credit in ordered:
        state = credit.state
        if state is EmergencyState.INVOKED and _serves(credit):
            is_first, used = not used, True
            if is_first:
                state = EmergencyState.IN_USE
            elif credit.kind != "emergency":
                state = EmergencyState.ENABLED
        shown.append(replace(credit, state=state))
    return shown


def _serves(credit: Credit) -> bool:
    return (
        credit.grant is None
        or credit.grant.terms.kind is GrantKind.TIME
        or (ChargeKind.CONSUMPTION in credit.grant.terms.draws_on)
    )
