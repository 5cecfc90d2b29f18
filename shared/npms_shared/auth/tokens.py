"""What a token says: a JWT taken apart strictly, and the principal that its claims make."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.util import urlsafe_b64decode

from npms_shared.actor import Actor
from npms_shared.clock import wall_now
from npms_shared.texts import is_readable_line

ALGORITHMS = frozenset({"Ed25519", "ES256", "RS256"})
ROLES = frozenset({"customer", "operator", "admin", "partner", "service"})
LARGEST_TOKEN = 8_192
LARGEST_ID = 2**63 - 1
NOT_BEFORE_LEEWAY_S = 30
"""Clocks differ a little; an expiry is held to the second all the same."""
_PART = re.compile(r"[A-Za-z0-9_-]+")
_PARTNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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

    def actor(self) -> Actor:
        """What an audit trail keeps of them."""
        acts_for = ""
        if self.customer_id is not None:
            acts_for = f"customer:{self.customer_id}"
        elif self.partner_id is not None:
            acts_for = f"partner:{self.partner_id}"
        return Actor(self.subject, tuple(sorted(self.roles)), acts_for)

    def may_see(self, customer_id: int | None) -> bool:
        """Staff sees everyone; a customer only what is theirs."""
        return self.is_staff() or (customer_id is not None and customer_id == self.customer_id)


@dataclass(frozen=True, slots=True)
class RoleRules:
    """Where an issuer's tokens have roles, what it calls them, and which of ours it may give.

    `claim` is a name, or a JSON Pointer such as `/realm_access/roles`. `names` is from the issuer's
    word to our role; without it they are the same.
    """

    allowed: frozenset[str] = ROLES
    claim: str = "roles"
    names: Mapping[str, str] = field(default_factory=dict)

    def roles_in(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """Raises TokenRefused for none, for an unknown one, and for one that it may not give.

        Among nested or renamed roles others of the issuer's own are passed over.
        """
        texts = self._listed(claims)
        if self.names:
            texts = [self.names[text] for text in texts if text in self.names]
        elif self.claim.startswith("/"):
            texts = [text for text in texts if text in ROLES]
        if not texts or not ROLES.issuperset(texts):
            raise TokenRefused(f"roles must be some of {', '.join(sorted(ROLES))}")
        if not self.allowed.issuperset(texts):
            raise TokenRefused("its issuer may not give these roles")
        return frozenset(texts)

    def _listed(self, claims: Mapping[str, Any]) -> list[str]:
        found: Any = claims
        for name in self.claim[1:].split("/") if self.claim.startswith("/") else [self.claim]:
            found = found.get(name) if isinstance(found, Mapping) else None
        whole = isinstance(found, list) and all(isinstance(one, str) for one in found)
        return found if whole else []


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token's parts, of the right form and believed by nobody yet."""

    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]


def read_token(token: str) -> Unverified:
    """Raises TokenRefused for whatever is no JWT signed in one of our ways."""
    parts = token.split(".")
    if len(token) > LARGEST_TOKEN or len(parts) != 3:
        raise TokenRefused("this is no signed JWT")
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused(f"`alg` must be one of {', '.join(sorted(ALGORITHMS))}")
    if "crit" in header or not (key_id is None or isinstance(key_id, str)):
        raise TokenRefused("the header has a `crit`, or a `kid` that is no text")
    return Unverified(algorithm, key_id, claims)


def principal_of(claims: Mapping[str, Any], *, audience: str, roles: RoleRules) -> Principal:
    """Who a verified token speaks for; by its issuer's rules. Raises TokenRefused."""
    given = claims.get("aud")
    if audience not in (given if isinstance(given, list) else [given]):
        raise TokenRefused("`aud` does not name this system")
    _check_times(claims)
    return Principal(
        _subject(claims.get("sub")),
        roles.roles_in(claims),
        _customer(claims.get("customer_id")),
        _partner(claims.get("partner_id")),
    )


def _object(part: str) -> Mapping[str, Any]:
    try:
        if _PART.fullmatch(part):
            found = json.loads(urlsafe_b64decode(part.encode()))
            if isinstance(found, dict):
                return found
    except (ValueError, RecursionError):
        pass
    raise TokenRefused("header and claims must be JSON objects in base64url")


def _check_times(claims: Mapping[str, Any]) -> None:
    now = wall_now().timestamp()
    if not _time(claims.get("exp")) > now:
        raise TokenRefused("the token has expired")
    for name in ("nbf", "iat"):
        if name in claims and _time(claims[name]) > now + NOT_BEFORE_LEEWAY_S:
            raise TokenRefused(f"`{name}` is in the future")


def _time(claim: Any) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        raise TokenRefused("`exp` must be there, and times be numbers of seconds")
    if not (math.isfinite(claim) and 0 <= claim < 2**40):
        raise TokenRefused("a time is beyond all calendars")
    return float(claim)


def _subject(claim: Any) -> str:
    if not isinstance(claim, str) or not 0 < len(claim) <= 200 or not is_readable_line(claim):
        raise TokenRefused("`sub` must be a readable text of at most 200 characters")
    return claim


def _customer(claim: Any) -> int | None:
    if claim is None:
        return None
    if isinstance(claim, bool) or not isinstance(claim, int) or not 0 < claim <= LARGEST_ID:
        raise TokenRefused("customer_id must be a positive integer")
    return claim


def _partner(claim: Any) -> str | None:
    if claim is None:
        return None
    if not isinstance(claim, str) or not _PARTNER.fullmatch(claim):
        raise TokenRefused("partner_id must be letters, digits, `.`, `_` and `-`, 64 at most")
    return claim
