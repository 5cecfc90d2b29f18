"""A service's REST application: problems, tokens, traces, metrics and health."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute

from npms_shared.web import problems, reviews
from npms_shared.web.edge import Edge
from npms_shared.web.health import health_router
from npms_shared.web.identity import Identified
from npms_shared.web.in_flight import InFlight
from npms_shared.web.limits import BodyLimit, BodyRefused, Limits
from npms_shared.web.observing import Observed
from npms_shared.web.problems import Problem
from npms_shared.web.rates import Rates
from npms_shared.web.targets import TextOnly

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
        openapi_url="/openapi.json" if edge.docs else None,
        redoc_url=None,
        # A redirect would name whatever host the request named.
        redirect_slashes=False,
    )
    app.state.checks = {}
    app.state.rates = rates = _rates(edge.limits)
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
    app.add_middleware(Identified, verifier=edge.verifier, refusals=rates.refusals)
    app.add_middleware(InFlight, most=edge.limits.in_flight)
    app.add_middleware(Observed)
    _describe_problems(app)
    return app


def _rates(limits: Limits) -> Rates:
    return Rates(
        callers=limits.costly_per_minute_and_caller,
        addresses=limits.costly_per_minute_and_address,
        refusals=limits.refused_tokens_per_minute_and_address,
    )


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
