"""What the rules refuse, with the data that explains it."""


class LedgerError(Exception):
    """Base of everything the ledger's rules refuse."""


class PolicyError(LedgerError):
    """A credit policy that contradicts itself; `field` says where."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"{field}: {code}")
        self.code, self.field = code, field


class TermsError(LedgerError):
    """Terms of a debt or a grant that contradict each other; `field` says where."""

    def __init__(self, code: str, field: str) -> None:
        super().__init__(f"{field}: {code}")
        self.code, self.field = code, field


class EmergencyNotOffered(LedgerError):
    """Emergency credit can be accepted only while it is offered."""

    def __init__(self, state: str) -> None:
        super().__init__(f"emergency credit is {state}, not offered")
        self.state = state


class EmergencyTooSmall(LedgerError):
    """The whole emergency credit would not lift the balance above its floor."""

    def __init__(self, limit_micro: int, shortfall_micro: int) -> None:
        super().__init__(f"the limit {limit_micro} does not cover {shortfall_micro}")
        self.limit_micro, self.shortfall_micro = limit_micro, shortfall_micro


class UnbalancedJournal(LedgerError):
    """A journal that does not sum to zero must not be written."""

    def __init__(self, currency: str, sum_micro: int) -> None:
        super().__init__(f"journal in {currency} sums to {sum_micro}")
        self.currency, self.sum_micro = currency, sum_micro
