"""Every request has a trace, and is measured under labels that no client can invent."""

import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from npms_shared.messaging import trace
from npms_shared.observability import metrics
from npms_shared.web import problems

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

log = structlog.get_logger()


class Observed:
    """The outermost part: what fails inside without an answer is logged, counted and answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        try:
            await self._app(scope, receive, answer)
        except Exception as fault:
            metrics.HTTP_FAILURES.labels(route=route_of(scope)).inc()
            log.error("request_failed", path=scope["path"], exc_info=fault)
            if answer.begun:
                raise
            await problems.failure(Request(scope))(scope, receive, answer)


class _Answer:
    """One request's `send`: marks the answer with the trace and measures how long it took."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        given = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        self._traceparent = trace.begin(given)
        self._asked = time.perf_counter()
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            MutableHeaders(scope=message)["traceparent"] = self._traceparent
            self._measure(message["status"])
        await self._send(message)

    def _measure(self, status: int) -> None:
        method = self._scope["method"]
        metrics.HTTP_DURATION.labels(
            route=route_of(self._scope),
            method=method if method in METHODS else "other",
            status=str(status),
        ).observe(time.perf_counter() - self._asked)


def route_of(scope: Scope) -> str:
    """The template of the path, which is ours; what matches none is one."""
    return getattr(scope.get("route"), "path", "unmatched")
