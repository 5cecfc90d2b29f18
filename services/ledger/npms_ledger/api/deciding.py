"""What waits for another person's word: shown with its ETag, approved as it was seen, rejected."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers.context import Context
from npms_shared.actor import Actor
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import ReasonRequest

Thing = TypeVar("Thing")
T_co = TypeVar("T_co", covariant=True)


class Answer(Protocol):
    @classmethod
    def of(cls, thing: Any, /) -> Any: ...


class Approve(Protocol[T_co]):
    async def __call__(
        self,
        conn: AsyncConnection,
        thing_id: UUID,
        /,
        *,
        by: Actor,
        seen: str,
        reason: str,
        now: datetime,
    ) -> T_co: ...


class Reject(Protocol[T_co]):
    async def __call__(
        self, conn: AsyncConnection, thing_id: UUID, /, *, by: Actor, reason: str, now: datetime
    ) -> T_co: ...


@dataclass(frozen=True, slots=True)
class Decidable(Generic[Thing]):
    """`name` stands in operation ids, `key` in paths; `approving` and `rejecting` describe them."""

    name: str
    key: str
    response: type[Answer]
    find: Callable[[AsyncConnection, UUID], Awaitable[Thing]]
    reviewed: Callable[[Thing], Mapping[Any, Any]]
    approve: Approve[Thing]
    approving: str
    reject: Reject[Thing]
    rejecting: str

    def path(self) -> Any:
        return Path(alias=self.key, examples=["018f0000-0000-7000-8000-000000000001"])


def add_deciding(router: APIRouter, context: Context, kind: Decidable[Any]) -> None:
    """GET one, POST …/approve and …/reject, under the router's prefix."""
    _add_getting(router, context, kind)
    _add_approving(router, context, kind)
    _add_rejecting(router, context, kind)


def _add_getting(router: APIRouter, context: Context, kind: Decidable[Thing]) -> None:
    thing_path = Annotated[UUID, kind.path()]

    @router.get(
        f"/{{{kind.key}}}",
        name=f"get_{kind.name}",
        operation_id=f"get_{kind.name}",
        response_model=kind.response,
        responses=problem_responses(404),
    )
    async def get(_caller: Operator, response: Response, thing_id: thing_path) -> Any:
        """With the ETag that approving asks for."""
        async with context.database.connect() as conn:
            found = await kind.find(conn, thing_id)
        show_etag(response, kind.reviewed(found))
        return kind.response.of(found)


def _add_approving(router: APIRouter, context: Context, kind: Decidable[Thing]) -> None:
    thing_path = Annotated[UUID, kind.path()]

    @router.post(
        f"/{{{kind.key}}}/approve",
        name=f"approve_{kind.name}",
        operation_id=f"approve_{kind.name}",
        description=kind.approving,
        response_model=kind.response,
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        caller: Operator, seen: Seen, thing_id: thing_path, request: ReasonRequest
    ) -> Any:
        by, now = caller.actor(), context.clock.now()
        async with context.database.transaction() as conn:
            decided = await kind.approve(
                conn, thing_id, by=by, seen=seen, reason=request.reason, now=now
            )
        return kind.response.of(decided)


def _add_rejecting(router: APIRouter, context: Context, kind: Decidable[Thing]) -> None:
    thing_path = Annotated[UUID, kind.path()]

    @router.post(
        f"/{{{kind.key}}}/reject",
        name=f"reject_{kind.name}",
        operation_id=f"reject_{kind.name}",
        description=kind.rejecting,
        response_model=kind.response,
        responses=problem_responses(404, 409),
    )
    async def reject(caller: Operator, thing_id: thing_path, request: ReasonRequest) -> Any:
        by, now = caller.actor(), context.clock.now()
        async with context.database.transaction() as conn:
            decided = await kind.reject(conn, thing_id, by=by, reason=request.reason, now=now)
        return kind.response.of(decided)
