"""What cannot be explained because it is not there."""

from npms_ledger.domain.errors import LedgerError


class PostingUnknown(LedgerError):
    def __init__(self, account_id: int, seq: int) -> None:
        super().__init__(f"account {account_id} has no posting {seq}")


class DecisionUnknown(LedgerError):
    """No decision about the supply of an account was written down yet."""

    def __init__(self, account_id: int) -> None:
        super().__init__(f"nothing was decided about the supply of account {account_id}")


class NoStatement(LedgerError):
    def __init__(self, account_id: int, month: str) -> None:
        super().__init__(f"account {account_id} has no statement of {month}")
