"""E-mail over SMTP, one connection a message, the delivery's id in its Message-ID."""

from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib

from npms_notifier.channels.base import NotDelivered, OutgoingMessage
from npms_shared.clock import Clock
from npms_shared.texts import is_readable_line

PERMANENT_FROM = 500


@dataclass(frozen=True, slots=True)
class MailServer:
    """`starttls`: True demands it, False never asks, None takes it where it is offered."""

    host: str
    port: int
    sender: str
    starttls: bool | None = None
    username: str | None = None
    password: str | None = None
    timeout_s: float = 10.0


class MailSender:
    def __init__(self, server: MailServer, clock: Clock) -> None:
        self._server, self._clock = server, clock
        self._domain = parseaddr(server.sender)[1].rpartition("@")[2]

    async def send(self, message: OutgoingMessage) -> str:
        server, mail = self._server, self._composed(message)
        try:
            _, answer = await aiosmtplib.send(
                mail,
                hostname=server.host,
                port=server.port,
                local_hostname=self._domain,
                start_tls=server.starttls,
                username=server.username,
                password=server.password,
                timeout=server.timeout_s,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            raise NotDelivered(_reason(fault), permanent=_is_permanent(fault)) from fault
        return answer[:200]

    async def close(self) -> None:
        """Nothing is held open between messages."""

    def _composed(self, message: OutgoingMessage) -> EmailMessage:
        try:
            mail = self._compose(message)
            _check_headers(mail)
        except ValueError as fault:
            raise NotDelivered(_reason(fault), permanent=True) from fault
        return mail

    def _compose(self, message: OutgoingMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._server.sender
        mail["To"] = message.address
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(self._clock.wall_now())
        mail["Message-ID"] = f"<{message.delivery_id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        return mail


def _check_headers(mail: EmailMessage) -> None:
    """An encoded word is decoded when it is set, and what was in it is looked at by nobody: a line
    break there would begin headers of somebody else's. Raises ValueError."""
    for name, value in mail.items():
        if not is_readable_line(str(value)):
            raise ValueError(f"the header {name} is not one readable line")
    if message_from_bytes(mail.as_bytes()).keys() != mail.keys():
        raise ValueError("the headers are not those that were set")


def _is_permanent(fault: Exception) -> bool:
    """Only a refusal of this recipient or content; what is wrong with the server may be mended."""
    if isinstance(fault, aiosmtplib.SMTPRecipientsRefused):
        return all(_is_permanent(refused) for refused in fault.recipients)
    kinds = (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
    return isinstance(fault, kinds) and fault.code >= PERMANENT_FROM


def _reason(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"[:500]
