"""What the notifier refuses, each with the data a caller needs; the edges choose how to say it."""

from uuid import UUID


class NotifierError(Exception):
    """Root of the refusals of this service; `code` is stable and part of the API."""

    code = "notifier_error"


class AddressRefused(NotifierError):
    """A text that cannot be an address of its channel."""

    def __init__(self, code: str, *, channel: str, address: str) -> None:
        super().__init__(f"{code}: {channel}")
        self.code, self.channel, self.address = code, channel, address


class LanguageUnknown(NotifierError):
    code = "language_unknown"

    def __init__(self, language: str, *, known: tuple[str, ...]) -> None:
        super().__init__(language)
        self.language, self.known = language, known


class AccountUnknown(NotifierError):
    """No such account, or none that the caller may see, or its opening was not heard yet."""

    code = "account_unknown"

    def __init__(self, account_id: int) -> None:
        super().__init__(f"account {account_id}")
        self.account_id = account_id


class TicketUnknown(NotifierError):
    code = "ticket_unknown"

    def __init__(self, ticket_id: UUID) -> None:
        super().__init__(f"ticket {ticket_id}")
        self.ticket_id = ticket_id


class TicketIsClosed(NotifierError):
    code = "ticket_closed"

    def __init__(self, ticket_id: UUID) -> None:
        super().__init__(f"ticket {ticket_id}")
        self.ticket_id = ticket_id
