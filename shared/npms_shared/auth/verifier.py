"""Tokens of the issuers that are trusted, each with the roles it may give; services only verify."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from npms_shared.auth.keys import OF_A_FILE, FileKeys, HttpKeys, KeyRing, Pace
from npms_shared.auth.tokens import Principal, RoleRules, TokenRefused, principal_of, read_token


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """`name` is the `iss` of its tokens; keys come from a file, a URL or discovery below `name`."""

    name: str
    roles: RoleRules = field(default_factory=RoleRules)
    jwks_path: Path | None = None
    jwks_url: str | None = None

    def key_ring(self, pace: Pace) -> KeyRing:
        """A file is read at once. Raises KeysUnreadable."""
        if self.jwks_path is None:
            return KeyRing(self.name, HttpKeys(self.name, self.jwks_url), pace)
        file = FileKeys(self.jwks_path)
        return KeyRing(self.name, file, OF_A_FILE, file.read())


class TokenVerifier:
    """Raises KeysUnreadable for an issuer's file."""

    def __init__(
        self, issuers: Iterable[TrustedIssuer], *, audience: str, pace: Pace | None = None
    ) -> None:
        self._issuers = {
            issuer.name: (issuer, issuer.key_ring(pace or Pace())) for issuer in issuers
        }
        self._audience = audience

    async def verify(self, token: str) -> Principal:
        """Raises TokenRefused for whatever is wrong with it, KeysUnavailable."""
        read = read_token(token)
        name = read.claims.get("iss")
        known = self._issuers.get(name) if isinstance(name, str) else None
        if known is None:
            raise TokenRefused("its issuer is not trusted here")
        issuer, ring = known
        _check_signature(token, await ring.find(read.key_id), read.algorithm)
        return principal_of(read.claims, audience=self._audience, roles=issuer.roles)


def _check_signature(token: str, key: Key, algorithm: str) -> None:
    try:
        jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError):
        raise TokenRefused("its signature does not hold") from None
