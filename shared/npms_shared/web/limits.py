"""What one client may take of a service: bytes and values of a request, and time to send it."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from npms_shared.auth.tokens import Principal
from npms_shared.web.problems import Problem


@dataclass(frozen=True, slots=True)
class Limits:
    """Of every REST interface; settings give others."""

    body_bytes: int = 1_000_000
    """A thousand readings are an eighth of it."""
    small_body_bytes: int = 64 * 1024
    """For customers, and for whoever shows no good token."""
    body_values: int = 10_000
    """In one JSON document: each costs time to look at, whatever it is."""
    body_timeout_s: float = 20.0
    in_flight: int = 100
    costly_per_minute_and_caller: int = 30
    costly_per_minute_and_address: int = 120
    """An address may be a whole office's."""
    refused_tokens_per_minute_and_address: int = 60

    def bytes_for(self, caller: object) -> int:
        """`caller` as `identity.Identified` found it."""
        known = isinstance(caller, Principal) and caller.roles != {"customer"}
        return self.body_bytes if known else self.small_body_bytes


class BodyRefused(HTTPException):
    """An HTTPException, because that is what FastAPI lets through while it reads a body."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(status, detail, headers={"Connection": "close"})
        self.code = code

    def problem(self) -> Problem:
        return Problem(self.status_code, self.code, self.detail, headers=self.headers)


class BodyLimit:
    """Counts what comes in, whatever its Content-Length says, and for how long."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _Measured(scope, receive, self._limits)
        await self._app(scope, receive, send)


class _Measured:
    """One request's `receive`; raises BodyRefused."""

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._most = limits.bytes_for(scope.get("state", {}).get("caller"))
        self._is_json = "json" in Headers(scope=scope).get("content-type", "json")
        self._bytes = self._commas = 0
        self._ends = asyncio.get_running_loop().time() + limits.body_timeout_s
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            words = f"A request is sent within {self._limits.body_timeout_s:g} seconds."
            raise BodyRefused(408, "request_too_slow", words) from None
        self._whole = not message.get("more_body", False)
        self._count(message.get("body", b""))
        return message

    def _count(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > self._most:
            words = f"A request of this caller has at most {self._most} bytes."
            raise BodyRefused(413, "request_too_large", words)
        self._commas += piece.count(b",") if self._is_json else 0
        if self._commas > self._limits.body_values:
            words = f"A request has at most {self._limits.body_values} values."
            raise BodyRefused(413, "request_too_large", words)
