"""What is refused when people move money."""

from uuid import UUID

from npms_ledger.domain.errors import LedgerError


class RequestUnknown(LedgerError):
    def __init__(self, request_id: UUID) -> None:
        super().__init__(f"no money request {request_id}")
        self.request_id = request_id


class PaymentUnknown(LedgerError):
    def __init__(self, payment_id: UUID) -> None:
        super().__init__(f"no payment {payment_id}")
        self.payment_id = payment_id


class RequestDecided(LedgerError):
    def __init__(self, request_id: UUID, state: str) -> None:
        super().__init__(f"the request was {state} before")
        self.request_id, self.state = request_id, state


class NotEnoughCredit(LedgerError):
    """More than was paid and is neither used nor owed."""

    def __init__(self, account_id: int, *, movable_micro: int) -> None:
        super().__init__(f"account {account_id} can give {movable_micro} micro-units")
        self.account_id, self.movable_micro = account_id, movable_micro


class SameAccount(LedgerError):
    def __init__(self, account_id: int) -> None:
        super().__init__(f"from account {account_id} to itself")
        self.account_id = account_id


class NotMovable(LedgerError):
    """A payment that cannot be reallocated: `payment_not_credited`, `payment_reversed`,
    `already_reallocated`, `nothing_left`.
    """

    def __init__(self, code: str, payment_id: UUID) -> None:
        super().__init__(f"payment {payment_id}: {code}")
        self.code, self.payment_id = code, payment_id
