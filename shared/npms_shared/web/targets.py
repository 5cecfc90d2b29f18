"""Path and query hold text, before anything looks at them."""

from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from npms_shared.texts import is_text
from npms_shared.web.problems import Problem, render


class TextOnly:
    """422 for U+0000 and its like in a path or query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_text(_target(scope)):
            await self._app(scope, receive, send)
            return
        words = "Path and query must be text, without control characters."
        answer = render(Request(scope), Problem(422, "unreadable_text", words))
        await answer(scope, receive, send)


def _target(scope: Scope) -> str:
    return f"{scope['path']}?{unquote(scope['query_string'].decode('latin-1'))}"
