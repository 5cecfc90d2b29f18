"""A request has an end: who sends more is refused while reading, not after."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from npms_shared.web.problems import Problem

LARGEST_BODY = 1_000_000
"""Bytes; a thousand readings are an eighth of it."""


class BodyTooLarge(HTTPException):
    """An HTTPException, because that is what FastAPI lets through while it reads a body."""

    def __init__(self) -> None:
        super().__init__(413, f"A request has at most {LARGEST_BODY} bytes.")

    def problem(self) -> Problem:
        return Problem(413, "request_too_large", self.detail)


class BodyLimit:
    """Counts what comes in, whatever its Content-Length says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = LARGEST_BODY

        async def receive_within() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise BodyTooLarge
            return message

        await self._app(scope, receive_within, send)
