"""Tokens are JWTs of an issuer whose public keys are in a file; services only verify."""

from dataclasses import dataclass
from pathlib import Path

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


class TokenVerifier:
    def __init__(self, *, jwks_path: Path, issuer: str, audience: str) -> None:
        import json

        self._keys = KeySet.import_key_set(json.loads(jwks_path.read_text()))
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
        roles = frozenset(map(str, claims.get("roles", ())))
        if not roles <= ROLES or not roles:
            raise TokenRefused(f"roles must be some of {', '.join(sorted(ROLES))}")
        customer = claims.get("customer_id")
        if customer is not None and not isinstance(customer, int):
            raise TokenRefused("customer_id must be a number")
        return Principal(str(claims["sub"]), roles, customer, claims.get("partner_id"))
