"""Adjustments as tariff asks for them."""

from datetime import timedelta
from typing import Any

from tests.integration.ledger.house import House

from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.ids import new_id

QUEUE = "ledger.adjustments"


def adjustment(
    house: House, opened: dict[str, Any], amount_micro: int, **changes: Any
) -> AdjustmentCharged:
    """A tenth of it is tax."""
    tax = amount_micro // 10
    now = house.clock.now()
    fields = {
        "adjustment_id": new_id(),
        "kind": "correction",
        "installation_id": opened["installation_id"],
        "account_id": opened["account_id"],
        "currency": "KES",
        "plan_version_id": 7,
        "from_s": int((now - timedelta(days=3)).timestamp()),
        "to_s": int(now.timestamp()),
        "energy_wh": 0,
        "amount_micro": amount_micro,
        "tax_micro": tax,
        "lines": [("energy", "peak", 1, 0, amount_micro - tax), ("tax:vat", "", 0, 0, tax)],
        "reason": "the price of March was wrong",
        "told_at": now,
    }
    return AdjustmentCharged.model_validate(fields | changes)
