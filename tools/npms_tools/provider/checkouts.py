"""What the provider knows: its checkouts, and the money it took and gave back."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from npms_shared.ids import new_id

Status = Literal["open", "paid", "failed", "expired", "refunded"]


@dataclass(slots=True)
class Checkout:
    reference: str
    merchant_order: UUID
    amount: str
    currency: str
    callback_url: str
    status: Status = "open"
    transaction_id: str | None = None

    def to_data(self) -> dict[str, str | None]:
        """As webhooks and answers show it."""
        return {
            "reference": self.reference,
            "merchant_order": str(self.merchant_order),
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "transaction_id": self.transaction_id,
        }


class NotPossible(Exception):
    """A step that this checkout cannot take any more."""

    def __init__(self, status: Status, wanted: Status) -> None:
        super().__init__(f"a checkout that is {status} cannot become {wanted}")


_BEFORE: dict[Status, Status] = {
    "paid": "open",
    "failed": "open",
    "expired": "open",
    "refunded": "paid",
}


class Book:
    """All checkouts; one per merchant's order, however often it is asked for."""

    def __init__(self) -> None:
        self._by_reference: dict[str, Checkout] = {}
        self._by_order: dict[UUID, Checkout] = {}

    def open(
        self, merchant_order: UUID, *, amount: str, currency: str, callback_url: str
    ) -> Checkout:
        found = self._by_order.get(merchant_order)
        if found is None:
            reference = f"co_{new_id().hex[-12:]}"
            found = Checkout(reference, merchant_order, amount, currency, callback_url)
            self._by_reference[reference] = self._by_order[merchant_order] = found
        return found

    def find(self, reference: str) -> Checkout | None:
        return self._by_reference.get(reference)

    def find_order(self, merchant_order: UUID) -> Checkout | None:
        return self._by_order.get(merchant_order)

    def move(self, checkout: Checkout, status: Status) -> None:
        """Forward only; money in and money back get numbers of their own."""
        if checkout.status != _BEFORE.get(status):
            raise NotPossible(checkout.status, status)
        checkout.status = status
        if status in {"paid", "refunded"}:
            checkout.transaction_id = f"tx_{new_id().hex[-12:]}"

    def settled(self) -> list[dict[str, str | None]]:
        """What the provider owes the merchant: paid and not given back."""
        return [c.to_data() for c in self._by_reference.values() if c.status == "paid"]
