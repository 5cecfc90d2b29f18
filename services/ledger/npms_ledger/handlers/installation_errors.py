"""What is refused of installations, usage points and those who move."""

from npms_ledger.domain.errors import LedgerError


class InstallationUnknown(LedgerError):
    def __init__(self, installation_id: int) -> None:
        super().__init__(f"no installation {installation_id} of this account")
        self.installation_id = installation_id


class InstallationIsClosed(LedgerError):
    def __init__(self, installation_id: int) -> None:
        super().__init__(f"installation {installation_id} is closed")
        self.installation_id = installation_id


class RegisterBelowBilled(LedgerError):
    """A last register below what was billed already."""

    def __init__(self, register_wh: int, *, billed_wh: int) -> None:
        super().__init__(f"the register {register_wh} lies below {billed_wh}, which was billed")
        self.register_wh, self.billed_wh = register_wh, billed_wh


class UsagePointUnknown(LedgerError):
    def __init__(self, usage_point_id: int) -> None:
        super().__init__(f"no usage point {usage_point_id}")
        self.usage_point_id = usage_point_id


class UsagePointOccupied(LedgerError):
    def __init__(self, usage_point_id: int) -> None:
        super().__init__(f"a meter of another account serves usage point {usage_point_id}")
        self.usage_point_id = usage_point_id


class FinalChargePending(LedgerError):
    """The charge up to the closing register has not been heard."""

    def __init__(self, installation_id: int) -> None:
        super().__init__(f"the final charge of installation {installation_id} is still to come")
        self.installation_id = installation_id


class NotRefundable(LedgerError):
    """`account_open`, `refund_exists`, `nothing_to_refund`."""

    def __init__(self, code: str, account_id: int) -> None:
        super().__init__(f"account {account_id}: {code}")
        self.code, self.account_id = code, account_id


class RefundUnknown(LedgerError):
    def __init__(self, refund_id: object) -> None:
        super().__init__(f"no refund {refund_id}")
        self.refund_id = refund_id


class RefundPaidBefore(LedgerError):
    def __init__(self, reference: str) -> None:
        super().__init__(f"it was paid before, as {reference!r}")
        self.reference = reference
