"""From the wire to a contract: what cannot be read is said to be so, with a code."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from npms_shared.clock import wall_now
from npms_shared.contracts.base import Event
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import Meta, Unprocessable
from npms_shared.messaging.topology import CONTRACT_OF
from npms_shared.messaging.users import SAID_BY, BrokerUsers, hands_of

MAX_BODY_BYTES = 4_000_000
ATTEMPT = "x-npms-attempt"
MOST_ATTEMPTS = 100


def meta_of(message: AbstractIncomingMessage) -> Meta:
    """The envelope; a message without a usable id gets one, so that it can be parked."""
    return Meta(
        message_id=_message_id(message.message_id) or new_id(),
        type=message.type or "",
        subject=str(message.headers.get("cloudEvents_subject", "")),
        time=(message.timestamp or wall_now()).astimezone(UTC),
    )


def attempt_of(message: AbstractIncomingMessage) -> int:
    """How often it was tried before; 0 at first."""
    value: Any = message.headers.get(ATTEMPT, 0)
    return value if isinstance(value, int) and 0 <= value <= MOST_ATTEMPTS else 0


def decode(
    message: AbstractIncomingMessage, expected: tuple[type[Event], ...], users: BrokerUsers
) -> Event:
    """The contract in the body.

    Raises Unprocessable: forged_publisher, no_message_id, oversized, unknown_type, malformed.
    """
    users.check(message)
    if _message_id(message.message_id) is None:
        raise Unprocessable("no_message_id", f"message_id is {message.message_id!r}")
    if len(message.body) > MAX_BODY_BYTES:
        raise Unprocessable("oversized", f"{len(message.body)} bytes")
    contract = CONTRACT_OF.get(message.type or "")
    if contract is None or contract not in expected:
        raise Unprocessable("unknown_type", f"type is {message.type!r}")
    try:
        return contract.model_validate_json(message.body)
    except ValidationError as fault:
        raise Unprocessable("malformed", _first_faults(fault)) from None


def headers_of(message: AbstractIncomingMessage) -> dict[str, Any]:
    """Headers as JSON can hold them, and whose hands the message went through."""
    headers = {storable(key): _jsonable(value) for key, value in message.headers.items()}
    return {**headers, SAID_BY: storable(">".join(hands_of(message)))}


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return storable(value)
    return value if isinstance(value, int | bool | None) else repr(value)


def storable(text: str) -> str:
    """Without U+0000, which PostgreSQL has no place for: what is parked must not fail to be."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _message_id(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _first_faults(fault: ValidationError) -> str:
    faults = fault.errors(include_url=False, include_input=False)[:3]
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in faults)
