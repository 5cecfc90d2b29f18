"""The W3C trace context of the work in hand, carried from HTTP through outbox and broker."""

import re
import secrets
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def begin(received: str | None) -> str:
    """Take over a caller's trace, or begin one; returns the traceparent."""
    if received is not None and _TRACEPARENT.fullmatch(received):
        value = received
    else:
        value = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    current.set(value)
    return value


def trace_id() -> str:
    """The 32 hex digits that logs and problems show; empty outside of any work."""
    value = current.get()
    return value.split("-")[1] if value else ""
