"""Grants at work: drawn on by charges, expired and renewed by time."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from npms_ledger.domain.grant import (
    BALANCE_PRIORITY,
    ChargeKind,
    Grant,
    GrantKind,
    GrantTerms,
)
from npms_ledger.domain.periods import Period, following
from npms_ledger.domain.position import (
    Bucket,
    Move,
    Position,
    Posted,
    PostingKind,
    post_moves,
)


def carry(position: Position) -> bool:
    """Whether granted credit alone keeps supply on."""
    return any(grant.carries() for grant in position.grants)


def carried_by_time(position: Position) -> bool:
    """Whether a time credit keeps supply on, so that nothing need be lent."""
    return any(grant.terms.kind is GrantKind.TIME and not grant.ended for grant in position.grants)


def to_draw(position: Position) -> bool:
    """Whether the next charge may draw, so that each must be looked at."""
    return any(grant.draws(ChargeKind.CONSUMPTION) for grant in position.grants)


def in_order(grants: tuple[Grant, ...]) -> list[Grant]:
    return sorted(grants, key=lambda grant: (grant.terms.priority, grant.number))


def give(
    position: Position,
    terms: GrantTerms,
    *,
    number: int,
    ends_at: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> Posted:
    """A new grant, with its first amount."""
    renews_at = following(Period.MONTH, now, zone) if terms.monthly else None
    grant = Grant(number, terms, ends_at=ends_at, renews_at=renews_at)
    position = replace(position, grants=(*position.grants, grant))
    return _add(position, grant)


def draw(position: Position, *, amount_micro: int, kind: ChargeKind, floor_micro: int) -> Posted:
    """What a charge that the balance has just paid gets back from the grants that it may draw on.

    Those used before the balance give all they can, the others only what it lacks to the floor.
    """
    moves: list[Move] = []
    left_micro, balance_micro = amount_micro, position.balance_micro
    for grant in in_order(position.grants):
        part = min(left_micro, grant.remaining_micro) if grant.draws(kind) else 0
        if grant.terms.priority >= BALANCE_PRIORITY:
            part = min(part, max(0, floor_micro - balance_micro))
        if part > 0:
            left_micro, balance_micro = left_micro - part, balance_micro + part
            moves += _pair(grant, part)
    return post_moves(position, PostingKind.GRANT_DRAWN, moves)


def _pair(grant: Grant, part: int) -> tuple[Move, Move]:
    about = grant.number, grant.terms.label
    return Move(Bucket.GRANT, -part, *about), Move(Bucket.BALANCE, part, *about)


def come_due(position: Position, grant: Grant, zone: ZoneInfo) -> Posted:
    """A grant at the end of its time, or at the beginning of its next month."""
    at = grant.due_at()
    assert at is not None
    if at == grant.ends_at:
        return end(position, grant)
    kept = min(grant.remaining_micro, grant.terms.rollover_max_micro)
    expired = _expire(position, grant, grant.remaining_micro - kept)
    renewed = replace(grant, remaining_micro=kept, renews_at=following(Period.MONTH, at, zone))
    added = _add(_with(expired.position, renewed), renewed)
    return Posted(added.position, (*expired.entries, *added.entries))


def end(position: Position, grant: Grant) -> Posted:
    """Whatever is left of a grant expires, and it is no more."""
    expired = _expire(position, grant, grant.remaining_micro)
    ended = replace(grant, remaining_micro=0, ended=True)
    return Posted(_with(expired.position, ended), expired.entries)


def end_all(position: Position) -> Posted:
    """The account closes: all grants end."""
    posted = Posted(position, ())
    for grant in position.grants:
        if not grant.ended:
            ended = end(posted.position, grant)
            posted = Posted(ended.position, (*posted.entries, *ended.entries))
    return posted


def _expire(position: Position, grant: Grant, amount_micro: int) -> Posted:
    move = Move(Bucket.GRANT, -amount_micro, grant.number, grant.terms.label)
    return post_moves(position, PostingKind.GRANT_EXPIRED, [move])


def _add(position: Position, grant: Grant) -> Posted:
    move = Move(Bucket.GRANT, grant.terms.amount_micro, grant.number, grant.terms.label)
    return post_moves(position, PostingKind.GRANTED, [move])


def _with(position: Position, changed: Grant) -> Position:
    grants = tuple(changed if g.number == changed.number else g for g in position.grants)
    return replace(position, grants=grants)
