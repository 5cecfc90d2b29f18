"""Corrections: previewed, requested by one, decided by another, listed."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.approval import Approval
from npms_shared.db import audit_trail
from npms_shared.ids import new_id
from npms_shared.money import format_amount
from npms_tariff.domain.past_registers import CannotCorrect
from npms_tariff.domain.records import (
    Correction,
    CorrectionItem,
    CorrectionKind,
    CorrectionState,
)
from npms_tariff.handlers.apply_correction import preview_of
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.errors import (
    CorrectionDecided,
    CorrectionRefused,
    UnknownCorrection,
    UnknownPlan,
)
from npms_tariff.handlers.rerate_installation import Task, rerate_installation
from npms_tariff.storage import corrections, plans

PAGE = 100


@dataclass(frozen=True, slots=True)
class PlanCorrection:
    """Everything rated on a plan since the begin of a version of it."""

    plan_code: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class InstallationCorrection:
    """One installation's registers, or the clock they were read on; `request` as `task_of` has
    it."""

    kind: CorrectionKind
    installation_id: int
    request: dict[str, Any]
    reason: str


CorrectionCommand = PlanCorrection | InstallationCorrection


@dataclass(frozen=True, slots=True)
class CorrectionScope:
    """What is to be corrected; of a plan version, or of one installation."""

    kind: CorrectionKind
    plan_version_id: int | None
    installation_id: int | None
    request: dict[str, Any]
    reason: str

    @property
    def task(self) -> Task:
        return task_of(self.request)


def task_of(request: dict[str, Any]) -> Task:
    """As it stands in a correction's record."""
    return Task(
        from_s=request["from_s"],
        to_s=request.get("to_s"),
        registers=tuple((at_s, wh) for at_s, wh in request.get("registers", [])),
        shift_s=request.get("shift_s", 0),
    )


async def find_scope(conn: AsyncConnection, command: CorrectionCommand) -> CorrectionScope:
    """Raises UnknownPlan."""
    if isinstance(command, InstallationCorrection):
        return CorrectionScope(
            command.kind, None, command.installation_id, command.request, command.reason
        )
    found = await plans.find_version(conn, command.plan_code, command.version)
    if found is None:
        raise UnknownPlan(command.plan_code)
    request = {
        "plan_code": command.plan_code,
        "version": command.version,
        "from_s": int(found.valid_from.timestamp()),
    }
    return CorrectionScope("plan", found.plan_version_id, None, request, command.reason)


async def preview_correction(
    context: Context, scope: CorrectionScope
) -> AsyncIterator[dict[str, Any]]:
    """A line for each installation that would be corrected or refused, and the total.

    Each is worked out as it will be; nothing is written. No connection is held between lines: there
    may be many, and whoever reads them may be slow.
    """
    async with context.database.connect() as conn:
        catalogue = await context.catalogues.current(conn)
    totals: dict[str, int] = {}
    corrected = refused = 0
    async for installation_id in _installations(context, scope):
        try:
            async with context.database.connect() as conn:
                rerated = await rerate_installation(conn, catalogue, installation_id, scope.task)
        except CannotCorrect as fault:
            refused += 1
            yield {"installation_id": installation_id, "refused": fault.code}
            continue
        if rerated.differences:
            corrected += 1
            currency = rerated.old.currency
            totals[currency] = totals.get(currency, 0) + rerated.amount_micro
            yield preview_of(rerated)
    amounts = {currency: format_amount(micro) for currency, micro in totals.items()}
    yield {"total": {"corrected": corrected, "refused": refused, "amounts": amounts}}


async def _installations(context: Context, scope: CorrectionScope) -> AsyncIterator[int]:
    if scope.installation_id is not None:
        yield scope.installation_id
        return
    assert scope.plan_version_id is not None
    after = 0
    while True:
        async with context.database.connect() as conn:
            ids = await corrections.affected(conn, scope.plan_version_id, after=after, limit=PAGE)
        for installation_id in ids:
            yield installation_id
        if not ids:
            return
        after = ids[-1]


async def request_correction(
    conn: AsyncConnection, context: Context, command: CorrectionCommand, *, by: Actor
) -> Correction:
    """Put it before a second person. Raises UnknownPlan, and CorrectionRefused where it cannot be
    worked out."""
    scope = await find_scope(conn, command)
    if scope.installation_id is not None:
        catalogue = await context.catalogues.current(conn)
        try:
            await rerate_installation(conn, catalogue, scope.installation_id, scope.task)
        except CannotCorrect as fault:
            raise CorrectionRefused(fault.code, fault.detail) from None
    correction = Correction(
        correction_id=new_id(),
        kind=scope.kind,
        plan_version_id=scope.plan_version_id,
        installation_id=scope.installation_id,
        request=scope.request,
        reason=scope.reason,
        state="requested",
        requested_by=by.subject,
        requested_at=context.clock.now(),
    )
    await corrections.add_correction(conn, correction)
    await audit_trail.note(
        conn,
        by,
        "correction_requested",
        subject=_subject(correction),
        now=correction.requested_at,
        reason=correction.reason,
        after={
            "state": correction.state,
            "kind": correction.kind,
            "plan_version_id": correction.plan_version_id,
            "installation_id": correction.installation_id,
        },
    )
    return correction


async def approve_correction(
    conn: AsyncConnection, context: Context, correction_id: UUID, *, by: Actor, seen: str
) -> Correction:
    """Let it be worked off, as it was `seen` (its checksum).

    Raises UnknownCorrection, CorrectionDecided, SecondPersonRequired, ReviewedChanged.
    """
    correction = await _open(conn, correction_id)
    Approval(by.subject, seen).check(hands=[correction.requested_by], reviewed=asdict(correction))
    return await _decide(conn, context, correction, "approved", by=by)


async def reject_correction(
    conn: AsyncConnection, context: Context, correction_id: UUID, *, by: Actor, reason: str
) -> Correction:
    """It is never worked off; who asked takes it back so.

    Raises UnknownCorrection, CorrectionDecided.
    """
    correction = await _open(conn, correction_id)
    return await _decide(conn, context, correction, "rejected", by=by, reason=reason)


async def _decide(
    conn: AsyncConnection,
    context: Context,
    correction: Correction,
    state: CorrectionState,
    *,
    by: Actor,
    reason: str = "",
) -> Correction:
    now = context.clock.now()
    await corrections.decide(conn, correction.correction_id, state=state, at=now, by=by.subject)
    await audit_trail.note(
        conn,
        by,
        f"correction_{state}",
        subject=_subject(correction),
        now=now,
        reason=reason,
        before={"state": correction.state, "requested_by": correction.requested_by},
        after={"state": state},
    )
    return await get_correction(conn, correction.correction_id)


def _subject(correction: Correction) -> str:
    return f"correction:{correction.correction_id}"


async def _open(conn: AsyncConnection, correction_id: UUID) -> Correction:
    correction = await corrections.find_correction(conn, correction_id, lock=True)
    if correction is None:
        raise UnknownCorrection
    if correction.state != "requested":
        raise CorrectionDecided
    return correction


async def get_correction(conn: AsyncConnection, correction_id: UUID) -> Correction:
    """Raises UnknownCorrection."""
    correction = await corrections.find_correction(conn, correction_id)
    if correction is None:
        raise UnknownCorrection
    return correction


async def list_corrections(
    conn: AsyncConnection, *, before: UUID | None, limit: int
) -> list[Correction]:
    """The newest first."""
    return await corrections.list_corrections(conn, before=before, limit=limit)


async def amounts_of(conn: AsyncConnection, found: list[Correction]) -> dict[UUID, dict[str, int]]:
    """What each has posted so far, by currency."""
    return await corrections.amounts(conn, [correction.correction_id for correction in found])


async def list_items(
    conn: AsyncConnection, correction_id: UUID, *, after: int, limit: int
) -> list[CorrectionItem]:
    """Raises UnknownCorrection."""
    await get_correction(conn, correction_id)
    return await corrections.list_items(conn, correction_id, after=after, limit=limit)
