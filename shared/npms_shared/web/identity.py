"""Whose request it is, found once, before anything of it is read."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from npms_shared.auth.keys import KeysUnavailable
from npms_shared.auth.tokens import Principal, TokenRefused
from npms_shared.auth.verifier import TokenVerifier
from npms_shared.web.problems import Problem
from npms_shared.web.rates import Rate, address_of, too_often

Found = Principal | TokenRefused | KeysUnavailable | Problem | None


class Identified:
    """Puts a caller, why it is none, or None into `request.state.caller`; refuses nobody."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier, refusals: Rate) -> None:
        self._app, self._verifier, self._refusals = app, verifier, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["caller"] = await self._caller(scope)
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Found:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return await self._verifier.verify(token.strip())
        except KeysUnavailable as fault:
            return fault
        except TokenRefused as fault:
            wait_s = self._refusals.wait_s(address_of(scope))
            return too_often(wait_s) if wait_s else fault
