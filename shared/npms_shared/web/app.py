"""A service's REST application: problems, tokens, traces, metrics and health."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from npms_shared.web import problems, reviews
from npms_shared.web.edge import Edge
from npms_shared.web.identity import Identified
from npms_shared.web.limits import BodyLimit, BodyRefused
from npms_shared.web.observing import Observed
from npms_shared.web.problems import Problem
from npms_shared.web.targets import TextOnly

Check = Callable[[], Awaitable[None]]
ErrorMap = Mapping[type[Exception], Callable[[Any], Problem]]
"""Domain error → the problem it is on REST."""


def create_app(
    *,
    service: str,
    description: str,
    edge: Edge,
    routers: Iterable[APIRouter],
    errors: ErrorMap | None = None,
) -> FastAPI:
    """Routers bear the prefix /v1 themselves; every route needs an explicit operation_id."""
    app = FastAPI(
        title=f"NPMS {service}",
        version="1",
        description=description,
        generate_unique_id_function=_operation_id,
        redoc_url=None,
        # A redirect would name whatever host the request named.
        redirect_slashes=False,
    )
    app.state.checks = {}
    problems.install(app)
    app.add_exception_handler(BodyRefused, _renderer(BodyRefused.problem))
    for kind, to_problem in {**reviews.ERRORS, **(errors or {})}.items():
        app.add_exception_handler(kind, _renderer(to_problem))
    for router in (*routers, health_router()):
        # As they are: `include_router` would build every route a second time, at its first use.
        app.router.routes.extend(router.routes)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limits=edge.limits)
    app.add_middleware(TextOnly)
    app.add_middleware(Identified, verifier=edge.verifier)
    app.add_middleware(Observed)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = problems.describe(described())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _operation_id(route: APIRoute) -> str:
    return route.operation_id or route.name


def _renderer(to_problem: Callable[[Any], Problem]) -> Callable[..., Awaitable[Response]]:
    async def render(request: Request, fault: Exception) -> Response:
        return problems.render(request, to_problem(fault))

    return render


def health_router() -> APIRouter:
    """/health/live, /health/ready, /health/startup and /metrics, for probes and scrapers."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live", operation_id="get_liveness")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready", operation_id="get_readiness")
    async def ready(request: Request) -> JSONResponse:
        return await _ask(request.app.state.checks)

    @router.get("/health/startup", operation_id="get_startup")
    async def startup(request: Request) -> JSONResponse:
        return await _ask(request.app.state.checks)

    @router.get("/metrics", operation_id="get_metrics")
    async def scrape() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _ask(checks: Mapping[str, Check]) -> JSONResponse:
    """Ask every check; 503 and what is wrong when one fails."""
    answers: dict[str, str] = {}
    for name, check in checks.items():
        try:
            await check()
            answers[name] = "ok"
        except Exception as fault:  # noqa: BLE001 - the answer says what
            answers[name] = f"{type(fault).__name__}: {fault}"[:300]
    good = all(answer == "ok" for answer in answers.values())
    return JSONResponse(
        {"status": "ready" if good else "not_ready", "checks": answers},
        status_code=200 if good else 503,
    )
