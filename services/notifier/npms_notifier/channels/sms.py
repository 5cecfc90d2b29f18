"""SMS over an operator's HTTP interface, the delivery's id as client reference."""

from dataclasses import dataclass

import httpx

from npms_notifier.channels.base import NotDelivered, OutgoingMessage

REFUSED = frozenset({400, 410, 422})
"""Statuses that speak of this number or text; all others may pass, or be mended by people."""


@dataclass(frozen=True, slots=True)
class SmsOperator:
    """`sender` is what the phone shows as the origin."""

    url: str
    api_key: str
    sender: str
    timeout_s: float = 10.0


class SmsSender:
    def __init__(self, operator: SmsOperator) -> None:
        self._operator = operator
        self._client = httpx.AsyncClient(
            timeout=operator.timeout_s, headers={"Authorization": f"Bearer {operator.api_key}"}
        )

    async def send(self, message: OutgoingMessage) -> str:
        body = {
            "to": message.address,
            "from": self._operator.sender,
            "text": message.body,
            "client_reference": str(message.delivery_id),
        }
        try:
            answer = await self._client.post(self._operator.url, json=body)
        except httpx.HTTPError as fault:
            raise NotDelivered(f"{type(fault).__name__}: {fault}", permanent=False) from fault
        if not answer.is_success:
            reason = f"HTTP {answer.status_code}: {answer.text[:300]}"
            raise NotDelivered(reason, permanent=answer.status_code in REFUSED)
        return _reference(answer)

    async def close(self) -> None:
        await self._client.aclose()


def _reference(answer: httpx.Response) -> str:
    """The operator's id of the message, as far as it gave one: it has taken the message anyhow."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("id", ""))[:200] if isinstance(body, dict) else ""
