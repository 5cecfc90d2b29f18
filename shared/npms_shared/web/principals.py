"""Who may call an endpoint: `Depends(require("operator", "admin"))`."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from npms_shared.auth.keys import KeysUnavailable
from npms_shared.auth.tokens import Principal, TokenRefused
from npms_shared.web.problems import Problem

_bearer = HTTPBearer(
    auto_error=False, description="JWT of the configured issuer, with the claim `roles`"
)


async def principal(
    request: Request,
    _described: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """The caller as `identity.Identified` found it; 401 without a good token."""
    match request.state.caller:
        case Principal() as caller:
            return caller
        case TokenRefused(reason=reason):
            raise _unauthenticated(reason)
        case Problem() as refusal:
            raise refusal
        case KeysUnavailable():
            words = "The token's issuer cannot be asked for its keys now."
            raise Problem(503, "issuer_unavailable", words, headers={"Retry-After": "10"})
    raise _unauthenticated("A bearer token is needed.")


def require(*roles: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency that lets callers with one of the roles in, and 403 to the others."""

    async def check(caller: Annotated[Principal, Depends(principal)]) -> Principal:
        if not caller.roles & set(roles):
            raise Problem(403, "forbidden", f"This needs one of the roles {', '.join(roles)}.")
        return caller

    return check


Operator = Annotated[Principal, Depends(require("operator", "admin"))]
Caller = Annotated[Principal, Depends(require("customer", "operator", "admin"))]
"""Customers reach what is theirs only; who answers sees to it."""


def _unauthenticated(reason: str) -> Problem:
    return Problem(401, "unauthenticated", reason, headers={"WWW-Authenticate": "Bearer"})
