"""What the domain says, in the words of the contracts."""

from collections.abc import Sequence

from npms_shared.contracts.tariff import ChargesBatch, PlanVersionActivated
from npms_tariff.domain.records import PlanVersion
from npms_tariff.domain.state import Charge

COLUMNS = ChargesBatch.columns()


def charges_batch(charges: Sequence[Charge], currency: str) -> ChargesBatch:
    """Not validated again: it was made of integers a moment ago, and there are many."""
    columns = dict(zip(COLUMNS, map(list, zip(*charges, strict=True)), strict=True))
    return ChargesBatch.model_construct(**columns, currency=currency)  # type: ignore[arg-type]


def plan_version_activated(version: PlanVersion, currency: str) -> PlanVersionActivated:
    return PlanVersionActivated(
        plan_code=version.plan_code,
        version=version.version,
        plan_version_id=version.plan_version_id,
        currency=currency,
        valid_from=version.valid_from,
    )
