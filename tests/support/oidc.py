"""An OpenID Connect issuer over real HTTP: discovery, keys that rotate, and absences."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from joserfc import jwt
from joserfc.jwk import ECKey


class OidcIssuer:
    """`asked` has the paths that were asked for; `away` answers all of them with 503."""

    def __init__(self, port: int) -> None:
        self.name = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.away = False
        self._keys: list[ECKey] = []
        self.rotate("first")

    def rotate(self, key_id: str) -> None:
        """From now on there is one key, a new one."""
        self._keys = [ECKey.generate_key("P-256", {"kid": key_id, "use": "sig"})]

    def token(self, *roles: str, key_id: str | None = None, **claims: object) -> str:
        now = int(time.time())  # noqa: TID251 - tokens live by the machine's clock
        body = {
            "iss": self.name,
            "aud": "npms",
            "sub": "somebody",
            "roles": list(roles),
            "exp": now + 600,
            "iat": now,
            **claims,
        }
        header = {"alg": "ES256", "kid": key_id or self._keys[0].kid}
        return jwt.encode(header, body, self._keys[0], algorithms=["ES256"])

    def answer(self, path: str) -> tuple[int, object]:
        """What a GET gets."""
        self.asked.append(path)
        if self.away:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.name, "jwks_uri": f"{self.name}/keys"}
        strange = {"kty": "strange"}
        return 200, {"keys": [strange, *(key.as_dict(private=False) for key in self._keys)]}


@contextmanager
def oidc_issuer() -> Iterator[OidcIssuer]:
    """One that listens on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = issuer.answer(self.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = OidcIssuer(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()
