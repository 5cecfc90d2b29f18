"""What the tariff service says."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from npms_shared.contracts.base import Batch, Event

ChargeLine = tuple[str, str, int, int, int]
"""(component, period, block, energy_wh, amount_micro); e.g. ("energy", "peak", 2, 1250, 24375000),
("fixed:standing", "", 0, 0, 500000), ("tax:vat", "", 0, 0, 3900000). The amounts of a charge's
lines sum to its amount."""


class TariffEvent(Event):
    publisher: ClassVar[str] = "tariff"


class VendCharge(BaseModel):
    """A fixed charge that the ledger takes from the first top-up of each local month.

    `amount_micro` is for the whole month and contains `tax_micro`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    amount_micro: int
    tax_micro: int


class PlanVersionActivated(TariffEvent):
    """From `valid_from` on this version rates everyone on the plan.

    `vend_charges` are not rated: they are collected with a top-up. `commodity` was not told once.
    """

    name: ClassVar[str] = "plan_version_activated.v1"

    plan_code: str
    version: int
    plan_version_id: int
    currency: str
    valid_from: AwareDatetime
    vend_charges: list[VendCharge] = Field(default=[], description="names are unique in a plan")
    commodity: str | None = None


class RatingEnd(BaseModel):
    """Nothing more will be charged of a closed installation: `register_wh` is the register that it
    was charged up to, and its closing one whatever was asked for; `ended_at_s` in epoch seconds.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    installation_id: int
    account_id: int
    register_wh: int
    ended_at_s: int


class ChargesBatch(Batch):
    """Charges of one partition, in rating order, one per rated reading that cost or used anything.

    `from_register_wh`/`to_register_wh` and `from_s`/`to_s` (epoch seconds) are the two readings it
    lies between; `amount_micro` contains `tax_micro`. `ends` come after the charges.
    """

    publisher: ClassVar[str] = "tariff"
    name: ClassVar[str] = "charges_rated.v1"

    installation_id: list[int]
    account_id: list[int]
    from_register_wh: list[int]
    to_register_wh: list[int]
    from_s: list[int]
    to_s: list[int]
    plan_version_id: list[int]
    energy_wh: list[int]
    amount_micro: list[int]
    tax_micro: list[int]
    lines: list[list[ChargeLine]]
    currency: str
    ends: tuple[RatingEnd, ...] = ()

    def __len__(self) -> int:
        return len(self.installation_id)


AdjustmentKind = Literal["correction", "provisional", "settlement"]


class AdjustmentCharged(TariffEvent):
    """Money for [from_s, to_s) besides the ordinary charges, whose registers it leaves alone.

    A *correction* is what something charged before should have cost less what it did cost; a
    *provisional* charge estimates a day without readings; a *settlement* takes provisional
    charges back once readings have caught up. `amount_micro` is signed, positive where the
    customer pays, and contains `tax_micro`, signed alike; it is the sum of the lines.
    `energy_wh` is zero unless the energy billed is itself corrected. `plan_version_id` is that
    which the last of the time is rated by; zero where none is.
    """

    name: ClassVar[str] = "adjustment_charged.v1"

    adjustment_id: UUID
    kind: AdjustmentKind
    installation_id: int
    account_id: int
    currency: str
    plan_version_id: int
    from_s: int
    to_s: int
    energy_wh: int
    amount_micro: int
    tax_micro: int
    lines: list[ChargeLine]
    reason: str
    told_at: AwareDatetime


EVENTS = (PlanVersionActivated, AdjustmentCharged)
BATCHES = (ChargesBatch,)
