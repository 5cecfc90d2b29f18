"""What the tariff service says."""

from typing import ClassVar

from pydantic import AwareDatetime

from npms_shared.contracts.base import Batch, Event

ChargeLine = tuple[str, str, int, int, int]
"""(component, period, block, energy_wh, amount_micro); e.g. ("energy", "peak", 2, 1250, 24375000),
("daily", "", 0, 0, 500000), ("tax:vat", "", 0, 0, 3900000). The amounts of a charge's lines sum to
its amount."""


class TariffEvent(Event):
    publisher: ClassVar[str] = "tariff"


class PlanVersionActivated(TariffEvent):
    """From `valid_from` on this version rates everyone on the plan."""

    name: ClassVar[str] = "plan_version_activated.v1"

    plan_code: str
    version: int
    plan_version_id: int
    currency: str
    valid_from: AwareDatetime


class ChargesBatch(Batch):
    """Charges of one partition, in rating order, one per rated reading that cost or used anything.

    `from_register_wh`/`to_register_wh` and `from_s`/`to_s` (epoch seconds) are the two readings it
    lies between; `amount_micro` contains `tax_micro`.
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

    def __len__(self) -> int:
        return len(self.installation_id)


EVENTS = (PlanVersionActivated,)
BATCHES = (ChargesBatch,)
