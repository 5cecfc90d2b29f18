"""One emergency credit's way: enabled, offered, accepted, in use, exhausted, enabled again."""

from dataclasses import replace

from npms_ledger.domain import grants
from npms_ledger.domain.errors import EmergencyNotOffered, EmergencyTooSmall
from npms_ledger.domain.events import CreditEvent, EmergencyAccepted, EmergencyOffered
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import (
    LENDING,
    Bucket,
    EmergencyState,
    Position,
    Posted,
    PostingKind,
    post,
)
from npms_ledger.domain.waterfall import drawable_micro


def accept(position: Position, policy: CreditPolicy) -> Position:
    """Accept what is offered.

    Raises EmergencyNotOffered, and EmergencyTooSmall where all of it would not bring supply back.
    """
    terms = policy.emergency
    if terms is None or position.emergency is not EmergencyState.SELECTABLE:
        raise EmergencyNotOffered(position.emergency)
    shortfall = policy.floor_micro - position.balance_micro
    if shortfall >= terms.limit_micro:
        raise EmergencyTooSmall(terms.limit_micro, shortfall)
    return replace(position, emergency=EmergencyState.INVOKED)


def enable_again(position: Position, policy: CreditPolicy) -> Position:
    """Forget the last loan once it is repaid and the balance is well above."""
    terms = policy.emergency
    if (
        terms is None
        or position.emergency_used_micro
        or position.balance_micro <= terms.reoffer_above_micro
    ):
        return position
    return replace(position, emergency=EmergencyState.ENABLED)


def offer(position: Position, policy: CreditPolicy) -> tuple[Position, tuple[CreditEvent, ...]]:
    """Offer the loan at its level, or grant it where the policy asks for no acceptance."""
    terms = policy.emergency
    if (
        terms is None
        or not position.was_in_credit
        or position.emergency is not EmergencyState.ENABLED
        or position.balance_micro > terms.offer_at_micro
        or grants.carry(position)
    ):
        return position, ()
    if terms.needs_acceptance:
        offered = EmergencyOffered(terms.limit_micro, position.balance_micro)
        return replace(position, emergency=EmergencyState.SELECTABLE), (offered,)
    accepted = EmergencyAccepted(terms.limit_micro, position.balance_micro)
    return replace(position, emergency=EmergencyState.INVOKED), (accepted,)


def lend(position: Position, policy: CreditPolicy) -> Posted:
    """Lend what the balance lacks to the floor, as far as the loan goes; nothing while a time
    credit keeps supply on.
    """
    lacking = max(0, policy.floor_micro - position.balance_micro)
    if grants.carried_by_time(position):
        lacking = 0
    lent = min(lacking, drawable_micro(position, policy))
    posted = post(
        position, PostingKind.EMERGENCY_LENT, {Bucket.EMERGENCY: -lent, Bucket.BALANCE: lent}
    )
    return Posted(_advance(posted.position, policy), posted.entries)


def _advance(position: Position, policy: CreditPolicy) -> Position:
    """The state that the used part of an invoked loan means."""
    if position.emergency not in LENDING:
        return position
    if drawable_micro(position, policy) == 0:
        state = EmergencyState.EXHAUSTED
    elif position.emergency_used_micro:
        state = EmergencyState.IN_USE
    else:
        state = EmergencyState.INVOKED
    return replace(position, emergency=state)
