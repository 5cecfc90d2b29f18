"""Whether a process lives and can work: a word on the public port, all on the internal one."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from npms_shared.web.observing import Observed

Check = Callable[[], Awaitable[None]]


def health_router() -> APIRouter:
    """/health/live and /health/ready for a load balancer: yes or no, and no reason."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live", operation_id="get_liveness")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready", operation_id="get_readiness")
    async def ready(request: Request) -> JSONResponse:
        return _told(await _ask(request.app.state.checks), details=False)

    return router


def internal_app(service: str, checks: Mapping[str, Check]) -> FastAPI:
    """Of the port that probes, monitoring and operators reach: health with reasons, metrics."""
    app = FastAPI(title=f"NPMS {service}", openapi_url=None)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    @app.get("/health/startup")
    async def ready() -> JSONResponse:
        return _told(await _ask(checks), details=True)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_middleware(Observed)
    return app


async def _ask(checks: Mapping[str, Check]) -> dict[str, str]:
    """Ask every check: `ok`, or what is wrong."""
    answers: dict[str, str] = {}
    for name, check in checks.items():
        try:
            await check()
            answers[name] = "ok"
        except Exception as fault:  # noqa: BLE001 - the answer says what
            answers[name] = f"{type(fault).__name__}: {fault}"[:300]
    return answers


def _told(answers: Mapping[str, str], *, details: bool) -> JSONResponse:
    good = all(answer == "ok" for answer in answers.values())
    document = {"status": "ready" if good else "not_ready"}
    checks = {"checks": dict(answers)} if details else {}
    return JSONResponse({**document, **checks}, status_code=200 if good else 503)
