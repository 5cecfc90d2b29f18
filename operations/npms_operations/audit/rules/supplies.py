"""Every supply is desired as was decided, the gateway knows it, and no relay defies it for long."""

from datetime import timedelta

from npms_operations.audit.findings import Result
from npms_operations.audit.merging import merged
from npms_operations.audit.proof import Options
from npms_operations.audit.snapshots import Row, Snapshots

RULE = "supplies are as desired"

_DESIRED = """
    SELECT i.installation_id, s.state, s.revision, s.reason, s.limit_w, p.supply_on
    FROM installation i LEFT JOIN supply s USING (installation_id)
    JOIN position p ON p.account_id = i.account_id
    WHERE i.closed_at IS NULL ORDER BY i.installation_id
"""
_REPORTED = """
    SELECT installation_id, desired_state, desired_revision, desired_limit_w, decided_at,
           reported_state, reported_revision, reported_verified, reported_at, awaits,
           blocked_by
    FROM supply ORDER BY installation_id
"""


async def check_supplies(snapshots: Snapshots, options: Options) -> Result:
    """What was decided, what the gateway was told, what it last saw, of each open installation.

    A relay that is not yet confirmed is worth a note; one seen other than desired
    `stale_minutes` (of business time) after the decision breaks the rule.
    """
    result = Result(RULE)
    stale = timedelta(minutes=options.stale_minutes)
    unconfirmed = undecided = 0
    streams = snapshots.ledger.stream(_DESIRED), snapshots.gateway.stream(_REPORTED)
    async for installation_id, (desired, known) in merged(*streams):
        if desired is None:
            continue
        subject = f"installation {installation_id}"
        result.count("open installations")
        if desired["state"] is None and known is None:
            undecided += 1
        elif _is_told(result, subject, desired=desired, known=known):
            assert known is not None
            unconfirmed += not _is_confirmed(known)
            _check_relay(result, subject, known, stale=stale)
    if undecided:
        result.notes.append(f"of {undecided} installations nothing is desired")
    if unconfirmed:
        result.notes.append(f"{unconfirmed} relays are not confirmed to be as desired")
    return result


def _is_told(result: Result, subject: str, *, desired: Row, known: Row | None) -> bool:
    """Whether the gateway knows what the ledger decided."""
    if desired["state"] is None:
        result.broken(subject, "nothing is desired of its supply")
        return False
    decided = "on" if desired["supply_on"] else "off"
    result.expect(subject, "desired state", found=desired["state"], expected=decided)
    if known is None:
        result.broken(subject, "the gateway was never told what is desired")
        return False
    wanted = desired["revision"], desired["state"], desired["limit_w"]
    heard = known["desired_revision"], known["desired_state"], known["desired_limit_w"]
    result.expect(subject, "what the gateway was told", found=heard, expected=wanted)
    return heard == wanted


def _is_confirmed(known: Row) -> bool:
    seen = known["reported_state"], known["reported_revision"], known["reported_verified"]
    return seen == (known["desired_state"], known["desired_revision"], True)


def _check_relay(result: Result, subject: str, known: Row, *, stale: timedelta) -> None:
    """One that waits for its customer to press a button may do so for ever, and so may one that the
    gateway does not work toward what is desired, and says so.
    """
    if known["awaits"] == "customer" or known["blocked_by"]:
        return
    if not known["reported_verified"] or known["reported_revision"] != known["desired_revision"]:
        return
    lasts = known["reported_at"] - known["decided_at"]
    if known["reported_state"] != known["desired_state"] and lasts > stale:
        should = f"should be {known['desired_state']}"
        result.broken(subject, f"{should}, was seen {known['reported_state']} {lasts} later")
