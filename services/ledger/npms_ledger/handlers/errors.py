"""What a use case refuses because of what is stored."""

from datetime import datetime
from uuid import UUID

from npms_ledger.domain.errors import LedgerError


class AccountUnknown(LedgerError):
    def __init__(self, account_id: int) -> None:
        super().__init__(f"no account {account_id}")
        self.account_id = account_id


class AccountIsClosed(LedgerError):
    def __init__(self, account_id: int) -> None:
        super().__init__(f"account {account_id} is closed")
        self.account_id = account_id


class PlanUnknown(LedgerError):
    def __init__(self, plan_code: str) -> None:
        super().__init__(
            f"no tariff plan {plan_code!r} is known; one that was activated just now soon will be"
        )
        self.plan_code = plan_code


class PlanUnfit(LedgerError):
    """A plan that could not rate the usage point: `commodity_mismatch`, `plan_not_in_force`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ProfileUnknown(LedgerError):
    def __init__(self, profile: str) -> None:
        super().__init__(f"no gateway can read the profile {profile!r}")
        self.profile = profile


class MeterUnfit(LedgerError):
    """A fact of a meter that its gateway would refuse; `field` says which."""

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.field = code, field


class PolicyUnknown(LedgerError):
    def __init__(self, code: str) -> None:
        super().__init__(f"no credit policy {code!r}")
        self.code = code


class CustomerUnknown(LedgerError):
    def __init__(self, customer_id: int) -> None:
        super().__init__(f"no customer {customer_id}")
        self.customer_id = customer_id


class CurrencyMismatch(LedgerError):
    """`what` is in another currency than the account."""

    def __init__(self, what: str, currency: str, expected: str) -> None:
        super().__init__(f"the {what} is in {currency}, the account in {expected}")
        self.what, self.currency, self.expected = what, currency, expected


class MeterTaken(LedgerError):
    """The meter, or its address, already serves an open installation."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotInFuture(LedgerError):
    """What is said for a time must end later than now; `field` says where."""

    def __init__(self, field: str, moment: datetime) -> None:
        super().__init__(f"{moment.isoformat()} is over already")
        self.field = field


class NotKeptOn(LedgerError):
    def __init__(self, account_id: int) -> None:
        super().__init__(f"nobody keeps the supply of account {account_id} on")
        self.account_id = account_id


class TaskUnknown(LedgerError):
    def __init__(self, review_task_id: UUID) -> None:
        super().__init__(f"no review task {review_task_id}")


class TaskDone(LedgerError):
    def __init__(self, review_task_id: UUID, by: str) -> None:
        super().__init__(f"review task {review_task_id} was done by {by}")


class MassCutUnknown(LedgerError):
    def __init__(self, mass_cut_id: UUID) -> None:
        super().__init__(f"no mass cut {mass_cut_id}")


class MassCutDecided(LedgerError):
    def __init__(self, mass_cut_id: UUID, state: str) -> None:
        super().__init__(f"mass cut {mass_cut_id} is {state}, not waiting")
        self.state = state


class DebtUnknown(LedgerError):
    """The account has no such debt, or has paid it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no open debt {number}")
        self.number = number


class GrantUnknown(LedgerError):
    """The account has no such grant, or it has ended."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no granted credit {number} that has not ended")
        self.number = number


class EndsTooEarly(LedgerError):
    """A credit that would have ended before it is granted."""

    def __init__(self) -> None:
        super().__init__("the end must lie in the future")
