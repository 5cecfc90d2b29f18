"""An issuer of tokens for tests: its own key, its own JWK set."""

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

from npms_shared.auth.verifier import TokenVerifier, TrustedIssuer
from npms_shared.web.edge import Edge
from npms_shared.web.limits import Limits


class TestIssuer:
    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._key = OKPKey.generate_key("Ed25519", parameters={"kid": "test"})
        self.jwks_path = folder / "jwks.json"
        self.jwks_path.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def edge(self, **limits: Any) -> Edge:
        """What lets the bearers of its tokens in, within limits."""
        issuer = TrustedIssuer("npms-dev", jwks_path=self.jwks_path)
        return Edge(TokenVerifier([issuer], audience="npms"), Limits(**limits))

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
        header = {"alg": "Ed25519", "kid": "test", "typ": "JWT"}
        return jws.serialize_compact(header, json.dumps(body), self._key, algorithms=["Ed25519"])

    def headers(self, *roles: str, **claims: object) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*roles, **claims)}"}  # type: ignore[arg-type]
