"""An issuer of tokens for tests: its own key, its own JWK set."""

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey

from npms_shared.auth.tokens import TokenVerifier


class TestIssuer:
    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._key = OKPKey.generate_key("Ed25519", parameters={"kid": "test"})
        self.jwks_path = folder / "jwks.json"
        self.jwks_path.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(jwks_path=self.jwks_path, issuer="npms-dev", audience="npms")

    def token(
        self, *roles: str, subject: str = "somebody", lifetime_s: int = 600, **claims: object
    ) -> str:
        """A signed token; `claims` override what it would say."""
        now = int(time.time())  # noqa: TID251 - tokens live by the machine's clock
        body = {
            "iss": "npms-dev",
            "aud": "npms",
            "sub": subject,
            "roles": list(roles),
            "iat": now,
            "exp": now + lifetime_s,
            **claims,
        }
        return jwt.encode(
            {"alg": "Ed25519", "kid": "test"}, body, self._key, algorithms=["Ed25519"]
        )

    def headers(self, *roles: str, **claims: object) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*roles, **claims)}"}  # type: ignore[arg-type]
