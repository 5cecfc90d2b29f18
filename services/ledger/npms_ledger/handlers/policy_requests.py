"""A credit policy changes by two people: one asks for a version, another puts it in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.documents import from_document, to_document
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.handlers.errors import CurrencyMismatch
from npms_ledger.handlers.money_errors import RequestDecided, RequestUnknown
from npms_ledger.handlers.policies import WrittenPolicy, put_in_force
from npms_ledger.storage import policies, policy_requests
from npms_shared.actor import Actor
from npms_shared.approval import Approval, ReviewedChanged
from npms_shared.db import audit_trail
from npms_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """`replaces_version` is the one in force: 0 for a code that is new."""

    row: Row[Any]
    replaces_version: int

    @property
    def policy(self) -> CreditPolicy:
        return from_document(self.row.document)

    @property
    def reviewed(self) -> dict[str, Any]:
        """What an approval is of: also which version it takes the place of."""
        return {**self.row._mapping, "replaces_version": self.replaces_version}


async def request_policy(
    conn: AsyncConnection,
    code: str,
    *,
    policy: CreditPolicy,
    currency: str,
    by: Actor,
    now: datetime,
) -> WrittenPolicy | PolicyRequest:
    """Ask for a new version; what is in force already needs nobody. Asked for twice it waits once.

    Raises CurrencyMismatch.
    """
    in_force = await policies.current(conn, code)
    if in_force is not None:
        if in_force.currency != currency:
            raise CurrencyMismatch("credit policy", in_force.currency, currency)
        if from_document(in_force.document) == policy:
            return WrittenPolicy.of(in_force)
    document = to_document(policy)
    waiting = await policy_requests.waiting(conn, code, document=document, by=by.subject)
    if waiting is not None:
        return await show_request(conn, waiting)
    request_id = new_id()
    await policy_requests.add(
        conn, request_id, code=code, currency=currency, document=document, by=by.subject, now=now
    )
    await _note(conn, by, "requested", code, now=now, after={"document": document})
    return await show_request(conn, request_id)


async def show_request(conn: AsyncConnection, request_id: UUID) -> PolicyRequest:
    """Raises RequestUnknown."""
    row = await policy_requests.find(conn, request_id)
    if row is None:
        raise RequestUnknown(request_id)
    return PolicyRequest(row, await _version_in_force(conn, row.code))


async def list_requests(
    conn: AsyncConnection, *, before: UUID | None, limit: int, state: str | None
) -> Sequence[PolicyRequest]:
    """The newest first."""
    rows = await policy_requests.page(conn, before=before, limit=limit, state=state)
    return [PolicyRequest(row, await _version_in_force(conn, row.code)) for row in rows]


async def approve(
    conn: AsyncConnection, request_id: UUID, *, by: Actor, seen: str, reason: str, now: datetime
) -> PolicyRequest:
    """Put it in force for every account on the code.

    Raises RequestUnknown, RequestDecided, SecondPersonRequired, ReviewedChanged, CurrencyMismatch.
    """
    asked = await _lock_undecided(conn, request_id)
    row = asked.row
    Approval(by.subject, seen).check(hands=[row.requested_by], reviewed=asked.reviewed)
    version = await put_in_force(
        conn,
        row.code,
        policy=asked.policy,
        currency=row.currency,
        now=now,
        by=row.requested_by,
        approved_by=by.subject,
    )
    if version != asked.replaces_version + 1:
        raise ReviewedChanged
    await policy_requests.decide(
        conn, request_id, state="approved", by=by.subject, reason=reason, now=now, version=version
    )
    facts = {"version": version, "requested_by": row.requested_by, "document": row.document}
    await _note(conn, by, "approved", row.code, now=now, reason=reason, after=facts)
    return await show_request(conn, request_id)


async def reject(
    conn: AsyncConnection, request_id: UUID, *, by: Actor, reason: str, now: datetime
) -> PolicyRequest:
    """What is in force stays. Raises RequestUnknown, RequestDecided."""
    row = (await _lock_undecided(conn, request_id)).row
    await policy_requests.decide(
        conn, request_id, state="rejected", by=by.subject, reason=reason, now=now
    )
    facts = {"requested_by": row.requested_by}
    await _note(conn, by, "rejected", row.code, now=now, reason=reason, after=facts)
    return await show_request(conn, request_id)


async def _lock_undecided(conn: AsyncConnection, request_id: UUID) -> PolicyRequest:
    row = await policy_requests.find(conn, request_id, lock=True)
    if row is None:
        raise RequestUnknown(request_id)
    if row.state != "requested":
        raise RequestDecided(request_id, row.state)
    return PolicyRequest(row, await _version_in_force(conn, row.code))


async def _version_in_force(conn: AsyncConnection, code: str) -> int:
    found = await policies.current(conn, code)
    return 0 if found is None else int(found.version)


async def _note(
    conn: AsyncConnection,
    by: Actor,
    how: str,
    code: str,
    *,
    now: datetime,
    reason: str = "",
    after: audit_trail.Facts,
) -> None:
    await audit_trail.note(
        conn,
        by,
        f"credit_policy_{how}",
        subject=f"credit-policy:{code}",
        now=now,
        reason=reason,
        after=after,
    )
