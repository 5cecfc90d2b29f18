"""What payments refuse, each with the data a caller needs; the edges choose how to say it."""

from datetime import timedelta
from uuid import UUID


class PaymentsError(Exception):
    """Root of the refusals of this service; `code` is stable and part of the API."""

    code = "payments_error"


class AmountRefused(PaymentsError):
    """An amount outside the rules: `amount_zero`, `amount_negative`, `amount_above_limit`."""

    def __init__(self, code: str, *, amount_micro: int, limit_micro: int | None = None) -> None:
        super().__init__(f"{code}: {amount_micro}")
        self.code, self.amount_micro, self.limit_micro = code, amount_micro, limit_micro


class VendRefused(PaymentsError):
    """Outside of what may be sold to an account: `below_minimum`, `above_maximum`,
    `balance_above_maximum`. `room_micro` is what would still fit below the last.
    """

    def __init__(self, code: str, *, limit_micro: int, room_micro: int | None = None) -> None:
        super().__init__(f"{code}: {limit_micro}")
        self.code, self.limit_micro, self.room_micro = code, limit_micro, room_micro


class PartnerLimitReached(PaymentsError):
    """More than a partner may still sell today, in micro-units."""

    code = "partner_limit"

    def __init__(self, *, limit_micro: int, left_micro: int) -> None:
        super().__init__(f"{left_micro} of {limit_micro} is left")
        self.limit_micro, self.left_micro = limit_micro, left_micro


class WrongCurrency(PaymentsError):
    code = "wrong_currency"

    def __init__(self, *, given: str, expected: str) -> None:
        super().__init__(f"{given} where {expected} is due")
        self.given, self.expected = given, expected


class AccountUnknown(PaymentsError):
    code = "account_unknown"

    def __init__(self, account_id: int) -> None:
        super().__init__(f"account {account_id}")
        self.account_id = account_id


class AccountIsClosed(PaymentsError):
    code = "account_closed"

    def __init__(self, account_id: int) -> None:
        super().__init__(f"account {account_id}")
        self.account_id = account_id


class NotFound(PaymentsError):
    """A payment, batch or suspense item that is not there, or not the caller's to see."""

    code = "not_found"

    def __init__(self, what: str, key: UUID) -> None:
        super().__init__(f"{what} {key}")
        self.what, self.key = what, key


class ProviderUnknown(PaymentsError):
    code = "provider_unknown"

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.provider = provider


class VoucherMistyped(PaymentsError):
    """The digits cannot be a PIN: wrong length or check digit."""

    code = "voucher_mistyped"


class VoucherRefused(PaymentsError):
    """Unknown, used, expired, not active or of another currency: deliberately one answer."""

    code = "voucher_refused"


class VoucherLocked(PaymentsError):
    code = "voucher_locked"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(f"for {retry_after}")
        self.retry_after = retry_after


class BatchState(PaymentsError):
    """What is asked of a batch does not fit its state: `batch_not_printed`, `batch_printed`,
    `batch_active`, `batch_rejected`.
    """

    def __init__(self, state: str) -> None:
        self.code = f"batch_{state}" if state != "inactive" else "batch_not_printed"
        super().__init__(self.code)


class AllocationWaits(PaymentsError):
    """Somebody asked for an allocation of this money already."""

    code = "allocation_requested"

    def __init__(self, suspense_id: UUID) -> None:
        super().__init__(f"suspense item {suspense_id}")


class RequestDecided(PaymentsError):
    code = "request_decided"

    def __init__(self, request_id: UUID, state: str) -> None:
        super().__init__(f"{request_id} was {state} before")
        self.state = state


class ExpiryRefused(PaymentsError):
    """A batch that would expire before it could be used."""

    code = "expiry_in_the_past"


class SuspenseClosed(PaymentsError):
    """Money that lies in suspense no more: `suspense_allocated`, `suspense_returned`."""

    def __init__(self, suspense_id: UUID, state: str) -> None:
        super().__init__(f"suspense item {suspense_id}: {state}")
        self.code, self.suspense_id, self.state = f"suspense_{state}", suspense_id, state


class AlreadyReceived(PaymentsError):
    """This money was recorded before under the same source and reference."""

    code = "already_received"

    def __init__(self, *, source: str, reference: str) -> None:
        super().__init__(f"{source} {reference}")
        self.source, self.reference = source, reference
