"""Tokens for development: an Ed25519 key under `.run/`, of which services see the public half."""

import json
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from npms_shared.clock import wall_now
from npms_tools.stack.memory import locked

ISSUER = "npms-dev"
AUDIENCE = "npms"
ALGORITHM = "Ed25519"
LIFETIME = timedelta(hours=12)
ROLES = ("customer", "operator", "admin", "partner", "service")


class Issuer:
    """The key pair in `folder`, made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._private = folder / "private.json"

    @property
    def jwks_path(self) -> Path:
        """The file with the public keys, for the services."""
        self._key()
        return self._folder / "jwks.json"

    def issue_token(
        self,
        subject: str,
        roles: Iterable[str],
        *,
        customer_id: int | None = None,
        partner_id: str | None = None,
        lifetime: timedelta = LIFETIME,
    ) -> str:
        """A signed JWT; raises ValueError for a role that does not exist."""
        roles = list(roles)
        if unknown := set(roles) - set(ROLES):
            raise ValueError(f"no such role: {', '.join(sorted(unknown))}")
        key, now = self._key(), wall_now()
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "roles": roles,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        optional = {"customer_id": customer_id, "partner_id": partner_id}
        claims |= {name: value for name, value in optional.items() if value is not None}
        header = {"alg": ALGORITHM, "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])

    def _key(self) -> OKPKey:
        with locked(self._folder / "lock"):
            if not self._private.exists():
                self._make()
            return OKPKey.import_key(json.loads(self._private.read_text()))

    def _make(self) -> None:
        key = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        public = KeySet([key]).as_dict(private=False)
        (self._folder / "jwks.json").write_text(json.dumps(public, indent=2))
        handle = os.open(self._private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(key.as_dict(private=True), file)
