"""Signatures of webhooks, after the Standard Webhooks scheme.

Signed is `id.timestamp.body` with HMAC-SHA256; the header carries one or more `v1,<base64>`,
separated by spaces, so that a secret can be replaced without a gap. Secrets are `whsec_` and
base64 of 24 to 64 bytes. The timestamp bounds how long a caught message can be replayed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300
_LONGEST_HEADER = 1_000
_PREFIX = "whsec_"


class SecretInvalid(ValueError):
    """Not `whsec_` and base64 of 24 to 64 bytes. Says nothing of the text itself."""


class WebhookRefused(Exception):
    """`code`: `missing_header`, `malformed_header`, `too_old`, `too_new`, `wrong_signature`."""

    def __init__(self, code: str, header: str = "") -> None:
        super().__init__(f"{code} {header}".strip())
        self.code, self.header = code, header


@dataclass(frozen=True, slots=True)
class Secret:
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Secret":
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(_PREFIX) or not 24 <= len(key) <= 64:
            raise SecretInvalid("expected whsec_ and base64 of 24 to 64 bytes")
        return cls(key)


def sign(secret: Secret, *, message_id: str, timestamp_s: int, body: bytes) -> str:
    """One signature, `v1,<base64>`, as it stands in the header."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.digest(secret.key, signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def verify(
    secrets: Sequence[Secret], headers: Mapping[str, str], body: bytes, *, at: datetime
) -> str:
    """The message's id, once its age and one of its signatures are found good.

    `headers` with lower-case names, `at` the wall time. Raises WebhookRefused.
    """
    message_id = _header(headers, ID)
    timestamp_s = _fresh(_header(headers, TIMESTAMP), at=at)
    given = [part.encode() for part in _header(headers, SIGNATURE).split(" ")]
    expected = [
        sign(secret, message_id=message_id, timestamp_s=timestamp_s, body=body).encode()
        for secret in secrets
    ]
    matches = [hmac.compare_digest(good, part) for good in expected for part in given]
    if not any(matches):
        raise WebhookRefused("wrong_signature", SIGNATURE)
    return message_id


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise WebhookRefused("missing_header", name)
    if len(value) > _LONGEST_HEADER:
        raise WebhookRefused("malformed_header", name)
    return value


def _fresh(text: str, *, at: datetime) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise WebhookRefused("malformed_header", TIMESTAMP)
    age_s = at.timestamp() - int(text)
    if age_s > TOLERANCE_S:
        raise WebhookRefused("too_old", TIMESTAMP)
    if age_s < -TOLERANCE_S:
        raise WebhookRefused("too_new", TIMESTAMP)
    return int(text)
