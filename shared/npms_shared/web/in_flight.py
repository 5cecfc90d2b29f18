"""How many requests are answered at the same time: who comes then is told to come again."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from npms_shared.web.problems import Problem, render

STREAM = b"text/event-stream"


class InFlight:
    """503 for one too many; whether the process is healthy can always be asked.

    A stream of events is counted until it begins; how many there are is its own matter.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most, self._count = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self._app(scope, receive, send)
        elif self._count >= self._most:
            busy = Problem(
                503, "too_busy", "Too much is asked at once.", headers={"Retry-After": "1"}
            )
            await render(Request(scope), busy)(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._count += 1
        counts = True

        async def watched(message: Message) -> None:
            nonlocal counts
            if message["type"] == "http.response.start" and _is_stream(message) and counts:
                self._count, counts = self._count - 1, False
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._count -= counts


def _is_stream(message: Message) -> bool:
    return any(k == b"content-type" and v.startswith(STREAM) for k, v in message["headers"])
