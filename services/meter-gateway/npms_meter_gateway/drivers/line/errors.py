"""What can go wrong between asking a meter and being answered."""


class LinkFault(Exception):
    """No usable answer; `cause` is a short word for metrics and breakers."""

    cause = "fault"


class NotConnected(LinkFault):
    """The gateway's address does not take a connection, or its breaker is open.

    `until` is the loop time before which it is not tried again, where that is settled.
    """

    cause = "not_connected"

    def __init__(self, detail: str, until: float = 0.0) -> None:
        super().__init__(detail)
        self.until = until


class NotAllowed(NotConnected):
    """Nothing is opened there: it is outside what is allowed, or another gateway's line."""

    cause = "not_allowed"


class Lapsed(LinkFault):
    """Nothing was sent: this process may not speak to the gateway any more."""

    cause = "lapsed"


class OtherMeter(LinkFault):
    """Nothing was written: the meter tells another serial number, or none where it told one."""

    cause = "other_meter"

    def __init__(self, serial: str | None, known: str | None) -> None:
        super().__init__(f"{serial or 'no number'} answers, {known or 'none'} is known")
        self.serial = serial


class Overdue(LinkFault):
    """Nothing was sent: the line had no turn for it in time."""

    cause = "overdue"


class NoAnswer(LinkFault):
    """Nothing came within the time; the connection was dropped."""

    cause = "no_answer"


class PeerClosed(LinkFault):
    """The peer closed the connection while an answer was awaited."""

    cause = "peer_closed"


class BadAnswer(LinkFault):
    """What came is not the answer to what was asked; it was not decoded, the connection dropped.

    `cause` says in what it differs: `wrong_transaction`, `wrong_unit`, `wrong_protocol`,
    `wrong_length`, `wrong_function`, `wrong_count`, `wrong_echo`, `bad_crc`, `surplus`,
    `cut_short`.
    """

    cause = "bad_answer"

    def __init__(self, detail: str, cause: str = "bad_answer") -> None:
        super().__init__(detail)
        self.detail, self.cause = detail, cause


class Refused(LinkFault):
    """The meter, or the gateway for it, answered that it will not; `code` is its protocol's."""

    cause = "refused"

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code

    @property
    def is_about_registers(self) -> bool:
        """What was asked for is not served: asking again will not help."""
        return False

    @property
    def is_busy(self) -> bool:
        """Nothing was done yet: the same may be asked again."""
        return False

    @property
    def is_about_unit(self) -> bool:
        """The gateway speaks, the unit behind it does not."""
        return False
