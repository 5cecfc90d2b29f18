"""A mail server that keeps what it is given."""

import asyncio
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

from npms_shared.clock import wall_now
from npms_tools.sinks.store import Email, Store


class _Handler:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(  # noqa: N802 - the name the server looks for
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        status = self._store.faults["email"].strike()
        if status is not None:
            return f"{status} told to refuse"
        mail = message_from_bytes(envelope.content or b"", policy=default)  # type: ignore[arg-type]
        self._store.emails.append(_email(mail, envelope))
        return "250 kept"


def _email(mail: EmailMessage, envelope: Envelope) -> Email:
    part = mail.get_body(("plain",))
    return Email(
        message_id=str(mail["Message-ID"] or ""),
        sender=str(envelope.mail_from),
        recipients=tuple(envelope.rcpt_tos),
        subject=str(mail["Subject"] or ""),
        text=str(part.get_content()).replace("\r\n", "\n") if part else "",
        arrived_at=wall_now(),
    )


async def start_mail_sink(store: Store, *, host: str, port: int) -> asyncio.Server:
    """Listening; port 0 lets the system choose."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: SMTP(_Handler(store), hostname="sink.invalid", loop=loop), host, port
    )
