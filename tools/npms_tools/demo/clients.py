"""REST as an operator's or a customer's program would use it, with a token of the dev issuer."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from npms_tools.demo.scene import Scene
from npms_tools.stack.errors import StackError

T = TypeVar("T")
POLL_S = 0.1
WAIT_S = 60.0


class NotObservedError(StackError):
    """A step of the story did not happen."""


class Clients:
    """One HTTP client for each service and helper; answers that refuse raise StackError."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.token = self._token_of("demo-operator")
        urls = {process.service: process.url for process in scene.services}
        self._others = {
            name: {"Authorization": f"Bearer {self._token_of(f'demo-{name}-operator')}"}
            for name in ("second", "third")
        }
        self._clients = {
            name: httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {self.token}"}, timeout=20
            )
            for name, url in urls.items()
        }
        helpers = {"street": scene.street, "paysim": scene.paysim, "sinks": scene.sinks}
        for name, helper in helpers.items():
            place = httpx.URL(helper.url)
            self._clients[name] = httpx.Client(base_url=f"http://{place.host}:{place.port}")

    def call(
        self, method: str, service: str, path: str, *, key: str | None = None, **words: Any
    ) -> httpx.Response:
        """The answer, whatever it is."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._clients[service].request(method, path, headers=headers, **words)

    def _token_of(self, subject: str) -> str:
        return str(self._scene.stack.issuer.issue_token(subject, ["operator", "admin"]))

    def agree(
        self,
        service: str,
        place: str,
        verb: str = "approve",
        body: Any = None,
        *,
        by: str = "second",
    ) -> httpx.Response:
        """Another person looks at what waits for one, and decides about what they saw."""
        client, who = self._clients[service], self._others[by]
        seen = client.get(place, headers=who).headers.get("ETag", "")
        return client.post(f"{place}/{verb}", json=body, headers={**who, "If-Match": seen})

    def agreed(
        self,
        service: str,
        place: str,
        verb: str = "approve",
        body: Any = None,
        *,
        by: str = "second",
    ) -> Any:
        """What came of it; raises StackError where it was refused."""
        answer = self.agree(service, place, verb, body, by=by)
        return self._body_of(answer, f"POST {service} {place}/{verb}", service)

    def get(self, service: str, path: str, **query: Any) -> Any:
        return self._good("GET", service, path, params=query)

    def post(self, service: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self._good("POST", service, path, json=body, key=key)

    def put(self, service: str, path: str, body: Any) -> Any:
        return self._good("PUT", service, path, json=body)

    def pages(self, service: str, path: str) -> list[Any]:
        """Every item of a list that comes in pages."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(service, path, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def wait_for(self, what: str, probe: Callable[[], T | None], *, seconds: float = WAIT_S) -> T:
        """The first answer of the probe that is something; raises NotObservedError."""
        deadline = time.monotonic() + seconds
        while True:
            found = probe()
            if found:
                return found
            if time.monotonic() > deadline:
                raise NotObservedError(
                    f"not observed within {seconds:.0f} s: {what}",
                    advice=f"the services' logs are in {self._scene.stack.folder / 'logs'}",
                )
            self._scene.timeline.keep()
            time.sleep(POLL_S)

    def _good(self, method: str, service: str, path: str, **words: Any) -> Any:
        answer = self.call(method, service, path, **words)
        return self._body_of(answer, f"{method} {service} {path}", service)

    def _body_of(self, answer: httpx.Response, what: str, service: str) -> Any:
        if answer.is_error:
            raise StackError(
                f"{what} was refused: {answer.status_code} {answer.text[:500]}",
                log=self._scene.stack.folder / "logs" / f"{service}.log",
                advice="read the answer above, then the log",
            )
        return answer.json() if answer.content else None
