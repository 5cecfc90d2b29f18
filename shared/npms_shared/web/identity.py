"""Whose request it is, found once, before anything of it is read."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from npms_shared.auth.keys import KeysUnavailable
from npms_shared.auth.tokens import Principal, TokenRefused
from npms_shared.auth.verifier import TokenVerifier

Found = Principal | TokenRefused | KeysUnavailable | None


class Identified:
    """Puts a caller, why it is none, or None into `request.state.caller`; refuses nobody."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier) -> None:
        self._app, self._verifier = app, verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["caller"] = await self._caller(Headers(scope=scope))
        await self._app(scope, receive, send)

    async def _caller(self, headers: Headers) -> Found:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return await self._verifier.verify(token.strip())
        except (TokenRefused, KeysUnavailable) as fault:
            return fault
