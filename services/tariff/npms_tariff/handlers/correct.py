"""Corrections: previewed, asked for by one, decided by another, looked at."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.approval import Approval
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.money import format_amount
from npms_tariff.domain.records import Correction, CorrectionItem, CorrectionKind
from npms_tariff.domain.rerating import CannotCorrect
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.handlers.errors import (
    CorrectionDecided,
    CorrectionRefused,
    UnknownCorrection,
    UnknownPlan,
)
from npms_tariff.handlers.rework import Task, preview_of, rework
from npms_tariff.storage import corrections, plans

PAGE = 100


@dataclass(frozen=True, slots=True)
class Asked:
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


async def ask_for_plan(
    conn: AsyncConnection, plan_code: str, version: int, *, reason: str
) -> Asked:
    """Everything rated on a plan since a version's begin. Raises UnknownPlan."""
    found = await plans.find_version(conn, plan_code, version)
    if found is None:
        raise UnknownPlan(plan_code)
    request = {
        "plan_code": plan_code,
        "version": version,
        "from_s": int(found.valid_from.timestamp()),
    }
    return Asked("plan", found.plan_version_id, None, request, reason)


async def preview(database: Database, asked: Asked) -> AsyncIterator[dict[str, Any]]:
    """A line for each installation that would be corrected or refused, and the total.

    Each is worked out as it will be; nothing is written. No connection is held between lines.
    """
    catalogue = Catalogue()
    async with database.connect() as conn:
        await catalogue.refresh(conn)
    totals: dict[str, int] = {}
    corrected = refused = 0
    async for installation_id in _installations(database, asked):
        try:
            async with database.connect() as conn:
                work = await rework(conn, catalogue, installation_id, asked.task)
        except CannotCorrect as fault:
            refused += 1
            yield {"installation_id": installation_id, "refused": fault.code}
            continue
        if work.differences:
            corrected += 1
            currency = work.old.currency
            totals[currency] = totals.get(currency, 0) + work.amount_micro
            yield preview_of(work)
    amounts = {currency: format_amount(micro) for currency, micro in totals.items()}
    yield {"total": {"corrected": corrected, "refused": refused, "amounts": amounts}}


async def _installations(database: Database, asked: Asked) -> AsyncIterator[int]:
    if asked.installation_id is not None:
        yield asked.installation_id
        return
    assert asked.plan_version_id is not None
    after = 0
    while True:
        async with database.connect() as conn:
            ids = await corrections.affected(conn, asked.plan_version_id, after=after, limit=PAGE)
        for installation_id in ids:
            yield installation_id
        if not ids:
            return
        after = ids[-1]


async def request_correction(
    conn: AsyncConnection, asked: Asked, *, at: datetime, by: str
) -> Correction:
    """Put it before a second person. Raises CorrectionRefused where it cannot be worked out."""
    if asked.installation_id is not None:
        catalogue = Catalogue()
        await catalogue.refresh(conn)
        try:
            await rework(conn, catalogue, asked.installation_id, asked.task)
        except CannotCorrect as fault:
            raise CorrectionRefused(fault.code, fault.detail) from None
    correction = Correction(
        correction_id=new_id(),
        kind=asked.kind,
        plan_version_id=asked.plan_version_id,
        installation_id=asked.installation_id,
        request=asked.request,
        reason=asked.reason,
        state="requested",
        requested_by=by,
        requested_at=at,
    )
    await corrections.add_correction(conn, correction)
    return correction


async def approve(
    conn: AsyncConnection, correction_id: UUID, *, at: datetime, approval: Approval
) -> Correction:
    """Let it be worked off, as it was seen.

    Raises UnknownCorrection, CorrectionDecided, SecondPersonRequired, ReviewedChanged.
    """
    correction = await _open(conn, correction_id)
    approval.check(hands=[correction.requested_by], reviewed=asdict(correction))
    await corrections.decide(conn, correction_id, state="approved", at=at, by=approval.by)
    return await show_correction(conn, correction_id)


async def reject(
    conn: AsyncConnection, correction_id: UUID, *, at: datetime, by: str
) -> Correction:
    """It is never worked off; who asked takes it back so.

    Raises UnknownCorrection, CorrectionDecided.
    """
    await _open(conn, correction_id)
    await corrections.decide(conn, correction_id, state="rejected", at=at, by=by)
    return await show_correction(conn, correction_id)


async def _open(conn: AsyncConnection, correction_id: UUID) -> Correction:
    correction = await corrections.find_correction(conn, correction_id, lock=True)
    if correction is None:
        raise UnknownCorrection
    if correction.state != "requested":
        raise CorrectionDecided
    return correction


async def show_correction(conn: AsyncConnection, correction_id: UUID) -> Correction:
    """Raises UnknownCorrection."""
    correction = await corrections.find_correction(conn, correction_id)
    if correction is None:
        raise UnknownCorrection
    return correction


async def list_corrections(
    conn: AsyncConnection, *, before: UUID | None, limit: int
) -> list[Correction]:
    return await corrections.list_corrections(conn, before=before, limit=limit)


async def amounts_of(conn: AsyncConnection, found: list[Correction]) -> dict[UUID, dict[str, int]]:
    """What each has posted so far, by currency."""
    return await corrections.amounts(conn, [one.correction_id for one in found])


async def list_items(
    conn: AsyncConnection, correction_id: UUID, *, after: int, limit: int
) -> list[CorrectionItem]:
    """Raises UnknownCorrection."""
    await show_correction(conn, correction_id)
    return await corrections.list_items(conn, correction_id, after=after, limit=limit)
