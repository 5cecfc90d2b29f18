"""What the provider knows: its checkouts, and the money it took and gave back."""

from dataclasses import dataclass, field
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
    refunded_transaction_id: str | None = None
    taken: list[str] = field(default_factory=list)
    """The movements of money in that were not given back."""

    def to_data(self) -> dict[str, str | None]:
        """As webhooks and answers show it."""
        return {
            "reference": self.reference,
            "merchant_order": str(self.merchant_order),
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "transaction_id": self.transaction_id,
            "refunded_transaction_id": self.refunded_transaction_id,
        }


class NotPossible(Exception):
    """A step that this checkout cannot take any more."""


_BEFORE: dict[Status, set[Status]] = {
    "paid": {"open"},
    "failed": {"open"},
    "expired": {"open"},
    "refunded": {"paid", "refunded"},
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
        """Forward only."""
        if checkout.status not in _BEFORE.get(status, set()):
            raise NotPossible(f"a checkout that is {checkout.status} cannot become {status}")
        checkout.status = status

    def take(self, checkout: Checkout, *, again: bool = False) -> None:
        """Money in, under a number of its own; `again` also if the checkout was paid before."""
        if not again or checkout.status == "open":
            self.move(checkout, "paid")
        checkout.status, checkout.refunded_transaction_id = "paid", None
        checkout.transaction_id = _number()
        checkout.taken.append(checkout.transaction_id)

    def give_back(self, checkout: Checkout, transaction_id: str | None = None) -> None:
        """One movement of money in, the last unless it is named, goes back under a new number."""
        of = transaction_id or (checkout.taken[-1] if checkout.taken else None)
        if of not in checkout.taken:
            raise NotPossible(f"{of} is not held by this checkout")
        self.move(checkout, "refunded")
        checkout.taken.remove(of)
        checkout.refunded_transaction_id, checkout.transaction_id = of, _number()

    def settled(self) -> list[dict[str, str | None]]:
        """What the provider owes the merchant: every movement of money that was not given back."""
        return [
            {**c.to_data(), "transaction_id": number}
            for c in self._by_reference.values()
            for number in c.taken
        ]


def _number() -> str:
    return f"tx_{new_id().hex[-12:]}"
