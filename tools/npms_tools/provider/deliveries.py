"""Webhooks to the merchant: signed, repeated until they are taken, or wrong on purpose."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from npms_shared.clock import wall_now
from npms_shared.ids import new_id
from npms_tools.provider.checkouts import Checkout

Manner = Literal["normal", "twice", "wrong_signature", "unsigned", "late", "never"]
"""How a webhook is sent: `late` carries a timestamp ten minutes old, `never` is not sent."""

RETRY_DELAYS_S = (0.5, 1, 2, 5, 10, 30, 60)
LATE_S = 600
TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Message:
    webhook_id: str
    url: str
    body: bytes


@dataclass(slots=True)
class Attempt:
    """One sending and the merchant's answer; status 0 when there was none."""

    webhook_id: str
    manner: Manner
    status: int
    answer: Any

    def to_data(self) -> dict[str, Any]:
        return {
            "webhook_id": self.webhook_id,
            "manner": self.manner,
            "status": self.status,
            "answer": self.answer,
        }


def message_of(checkout: Checkout) -> Message:
    body = {
        "type": f"checkout.{checkout.status}",
        "timestamp": wall_now().isoformat(),
        "data": checkout.to_data(),
    }
    return Message(f"msg_{new_id().hex}", checkout.callback_url, json.dumps(body).encode())


@dataclass(slots=True)
class Postman:
    """Sends messages; what was not taken is sent again in the background."""

    key: bytes = field(repr=False)
    client: httpx.AsyncClient
    attempts: list[Attempt] = field(default_factory=list)
    _retries: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, message: Message, manner: Manner) -> list[Attempt]:
        """The first attempts, made before this returns."""
        if manner == "never":
            return []
        made = [await self._attempt(message, manner)]
        if manner == "twice":
            made.append(await self._attempt(message, manner))
        if manner in {"normal", "twice"} and not _taken(made[0]):
            task = asyncio.create_task(self._retry(message))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return made

    async def close(self) -> None:
        for task in list(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)
        await self.client.aclose()

    async def _retry(self, message: Message) -> None:
        for delay_s in RETRY_DELAYS_S:
            await asyncio.sleep(delay_s * random.uniform(0.8, 1.2))
            if _taken(await self._attempt(message, "normal")):
                return

    async def _attempt(self, message: Message, manner: Manner) -> Attempt:
        headers = {"content-type": "application/json", **self._signed(message, manner)}
        try:
            response = await self.client.post(
                message.url, content=message.body, headers=headers, timeout=TIMEOUT_S
            )
            made = Attempt(message.webhook_id, manner, response.status_code, _answer(response))
        except httpx.HTTPError as fault:
            made = Attempt(message.webhook_id, manner, 0, type(fault).__name__)
        self.attempts.append(made)
        return made

    def _signed(self, message: Message, manner: Manner) -> dict[str, str]:
        timestamp = str(int(wall_now().timestamp()) - (LATE_S if manner == "late" else 0))
        key = b"somebody else's key" if manner == "wrong_signature" else self.key
        content = b".".join((message.webhook_id.encode(), timestamp.encode(), message.body))
        digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": message.webhook_id, "webhook-timestamp": timestamp}
        return headers if manner == "unsigned" else headers | {"webhook-signature": f"v1,{digest}"}


def _taken(attempt: Attempt) -> bool:
    return 200 <= attempt.status < 300


def _answer(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:500]
