"""What tariff publishes, in the form of the contracts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from npms_shared.contracts.tariff import (
    AdjustmentCharged,
    AdjustmentKind,
    ChargeLine,
    ChargesBatch,
    PlanVersionActivated,
    RatingEnd,
    VendCharge,
)
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.records import EndedRating, Plan, PlanVersion
from npms_tariff.domain.state import Charge, RatingState
from npms_tariff.domain.vend_charges import vend_charges

COLUMNS = ChargesBatch.columns()


def charges_batch(
    charges: Sequence[Charge], currency: str, ends: Sequence[RatingEnd] = ()
) -> ChargesBatch:
    """Not validated again: it was made of integers a moment ago, and there are many."""
    parts = map(list, zip(*charges, strict=True)) if charges else ([] for _ in COLUMNS)
    columns = dict(zip(COLUMNS, parts, strict=True))
    return ChargesBatch.model_construct(**columns, currency=currency, ends=tuple(ends))  # type: ignore[arg-type]


def rating_end(state: RatingState | EndedRating) -> RatingEnd:
    return RatingEnd(
        installation_id=state.installation_id,
        account_id=state.account_id,
        register_wh=state.register_wh,
        ended_at_s=state.read_at_s,
    )


def plan_version_activated(version: PlanVersion, plan: Plan) -> PlanVersionActivated:
    return PlanVersionActivated(
        plan_code=version.plan_code,
        version=version.version,
        plan_version_id=version.plan_version_id,
        currency=plan.currency,
        commodity=plan.commodity,
        valid_from=version.valid_from,
        vend_charges=[
            VendCharge(name=name, amount_micro=amount + tax, tax_micro=tax)
            for name, amount, tax in vend_charges(
                PlanDocument.model_validate(version.document).prices()
            )
        ],
    )


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Of an installation, for [from_s, to_s)."""

    kind: AdjustmentKind
    adjustment_id: UUID
    plan_version_id: int
    from_s: int
    to_s: int
    lines: list[ChargeLine]
    reason: str
    energy_wh: int = 0


def adjustment_charged(
    state: RatingState, adjustment: Adjustment, *, at: datetime
) -> AdjustmentCharged:
    lines = adjustment.lines
    return AdjustmentCharged(
        adjustment_id=adjustment.adjustment_id,
        kind=adjustment.kind,
        installation_id=state.installation_id,
        account_id=state.account_id,
        currency=state.currency,
        plan_version_id=adjustment.plan_version_id,
        from_s=adjustment.from_s,
        to_s=adjustment.to_s,
        energy_wh=adjustment.energy_wh,
        amount_micro=sum(line[4] for line in lines),
        tax_micro=sum(line[4] for line in lines if line[0].startswith("tax:")),
        lines=lines,
        reason=adjustment.reason,
        told_at=at,
    )
