"""What the notifier refuses, each with the data a caller needs; the edges choose how to say it."""

from datetime import timedelta
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


class ContactUnknown(NotifierError):
    """An account has no address of this channel that could be verified."""

    code = "contact_unknown"

    def __init__(self, channel: str) -> None:
        super().__init__(channel)
        self.channel = channel


class AlreadyVerified(NotifierError):
    """All addresses of the channel are."""

    code = "already_verified"


class WrongCode(NotifierError):
    code = "wrong_code"


class CodeExpired(NotifierError):
    """The code was sent too long ago, tried too often, used, or never sent."""

    code = "code_expired"


class CodeSentRecently(NotifierError):
    """As many codes were made as may be for now."""

    code = "code_sent_recently"

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"in {wait}")
        self.wait = wait


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
