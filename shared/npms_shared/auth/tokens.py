"""Tokens are JWTs of an issuer whose public keys are in a file; services only verify."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ["Ed25519", "ES256", "RS256"]
ROLES = frozenset({"customer", "operator", "admin", "partner", "service"})


class TokenRefused(Exception):
    """Not a token we accept; `reason` is for the caller to mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: subject, roles, and for a customer or partner which one."""

    subject: str
    roles: frozenset[str]
    customer_id: int | None = None
    partner_id: str | None = None

    def is_staff(self) -> bool:
        return bool(self.roles & {"operator", "admin", "service"})

    def may_see(self, customer_id: int | None) -> bool:
        """Staff sees everyone; a customer only what is theirs."""
        return self.is_staff() or (customer_id is not None and customer_id == self.customer_id)


class KeysUnreadable(ValueError):
    """The file is no JWK set with at least one key in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no JWK set with a key in it: {path}")
        self.path = path


class TokenVerifier:
    """Raises KeysUnreadable."""

    def __init__(self, *, jwks_path: Path, issuer: str, audience: str) -> None:
        self._keys = _read_keys(jwks_path)
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def verify(self, token: str) -> Principal:
        """Raises TokenRefused for a bad signature, issuer, audience, age or role."""
        try:
            claims = jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
        except (JoseError, ValueError) as fault:
            raise TokenRefused(str(fault)) from None
        roles = _roles(claims.get("roles"))
        if not roles <= ROLES or not roles:
            raise TokenRefused(f"roles must be some of {', '.join(sorted(ROLES))}")
        customer = claims.get("customer_id")
        if customer is not None and not isinstance(customer, int):
            raise TokenRefused("customer_id must be a number")
        return Principal(str(claims["sub"]), roles, customer, claims.get("partner_id"))


def _roles(claim: Any) -> frozenset[str]:
    return frozenset(map(str, claim)) if isinstance(claim, list) else frozenset()


def _read_keys(path: Path) -> KeySet:
    try:
        keys = KeySet.import_key_set(json.loads(path.read_text()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, JoseError):
        raise KeysUnreadable(path) from None
    if not keys.keys:
        raise KeysUnreadable(path)
    return keys
