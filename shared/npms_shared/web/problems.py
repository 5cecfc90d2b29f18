"""Every error is application/problem+json (RFC 9457), with a code a program can branch on."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from npms_shared.messaging import trace

MEDIA_TYPE = "application/problem+json"

EVERYWHERE = (
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any operation may answer, whatever is asked: what stands before it refuses."""
WITH_A_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
"""What any operation may answer that takes one."""
MOST_ERRORS = 100
"""More help nobody, and a client chooses how many there are."""


class FieldError(BaseModel):
    """One wrong place of a request."""

    pointer: str = Field(description="JSON pointer into the request", examples=["/amount/amount"])
    code: str = Field(examples=["too_many_decimals"])
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457, with `code`, `trace_id` and the wrong fields."""

    type: str = Field(examples=["/problems/unknown_plan"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str
    instance: str
    code: str = Field(examples=["unknown_plan"])
    trace_id: str
    errors: list[FieldError] = Field(default=[], description=f"at most {MOST_ERRORS} of them")
    further_errors: int = Field(default=0, description="how many more there are")


class Problem(Exception):
    """Raised by endpoints; domain errors become one by `create_app(errors=…)`."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        further_errors: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers = errors or [], dict(headers or {})
        self.further_errors = further_errors


def not_found(what: str) -> Problem:
    """Also what a caller gets for somebody else's account."""
    return Problem(404, "not_found", f"No such {what}.")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: the statuses an endpoint may refuse with, besides 401, 403 and 422."""
    return {
        status: {
            "model": ProblemDocument,
            "description": HTTPStatus(status).phrase,
        }
        for status in (401, 403, 422, *statuses)
    }


def render(request: Request, problem: Problem) -> JSONResponse:
    document = ProblemDocument(
        type=f"/problems/{problem.code}",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        instance=request.url.path,
        code=problem.code,
        trace_id=trace.trace_id(),
        errors=problem.errors,
        further_errors=problem.further_errors,
    )
    return JSONResponse(
        document.model_dump(),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def failure(request: Request) -> JSONResponse:
    """The answer where ours is the fault."""
    return render(
        request, Problem(500, "internal_error", "It failed on our side; nothing was changed.")
    )


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document with every problem under its own media type, and with what is refused
    when it is missing as required.
    """
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                _as_required(parameter)
            responses = operation.setdefault("responses", {})
            for status in (*EVERYWHERE, *(WITH_A_BODY if "requestBody" in operation else ())):
                responses.setdefault(str(int(status)), _problem_response(status))
            for response in responses.values():
                _as_problem(response.get("content", {}))
    return schema


REQUIRED = {"x-required": True}
"""Of a parameter's schema: a handler refuses its absence in words of its own."""


def _as_required(parameter: dict[str, Any]) -> None:
    if not parameter.get("schema", {}).pop("x-required", False):
        return
    parameter["required"] = True
    [text] = [s for s in parameter["schema"].pop("anyOf") if s != {"type": "null"}]
    parameter["schema"] = {**text, **parameter["schema"]}


def _problem_response(status: HTTPStatus) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {"description": status.phrase, "content": {MEDIA_TYPE: body}}


def _as_problem(content: dict[str, Any]) -> None:
    """Whatever an operation answers otherwise, its refusals are problems."""
    for media_type, body in list(content.items()):
        if "ProblemDocument" in str(body.get("schema")):
            content[MEDIA_TYPE] = content.pop(media_type)


def install(app: FastAPI) -> None:
    """Make every refusal and failure of the application a problem document."""

    async def on_problem(request: Request, fault: Problem) -> JSONResponse:
        return render(request, fault)

    async def on_invalid(request: Request, fault: RequestValidationError) -> JSONResponse:
        return render(request, _not_json(request, fault) or _invalid(fault))

    async def on_http(request: Request, fault: HTTPException) -> JSONResponse:
        code = HTTPStatus(fault.status_code).phrase.lower().replace(" ", "_")
        headers = dict(fault.headers or {})
        if fault.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_methods_of(request)))
        problem = Problem(fault.status_code, code, str(fault.detail), headers=headers)
        return render(request, problem)

    app.add_exception_handler(Problem, on_problem)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http)  # type: ignore[arg-type]


def _methods_of(request: Request) -> set[str]:
    """All that its path takes; a route by itself knows only its own."""
    return {
        method
        for route in request.app.router.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods
    }


def _not_json(request: Request, fault: RequestValidationError) -> Problem | None:
    """FastAPI takes a body that is not sent as JSON for a text that does not fit."""
    given = request.headers.get("content-type", "")
    unread = any(e["loc"] == ("body",) and e["type"] != "missing" for e in fault.errors())
    if not unread or "json" in given:
        return None
    words = f"Send the body as application/json, not as {given or 'nothing named'}."
    return Problem(415, "unsupported_media_type", words)


def _invalid(fault: RequestValidationError) -> Problem:
    found = fault.errors()
    return Problem(
        422,
        "invalid_request",
        "The request does not have the right form.",
        errors=[
            FieldError(pointer=_pointer(e["loc"]), code=_code(e), message=e["msg"])
            for e in found[:MOST_ERRORS]
        ],
        further_errors=max(len(found) - MOST_ERRORS, 0),
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    inside = location[1:] if location and location[0] == "body" else location
    return "/" + "/".join(str(part) for part in inside)


def _code(error: Mapping[str, Any]) -> str:
    cause = (error.get("ctx") or {}).get("error")
    return str(getattr(cause, "code", error["type"]))
