"""Cursors of lists that go from the newest id down."""

from collections.abc import Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query

from npms_shared.web.problems import Problem
from npms_shared.web.schemas import decode_cursor, encode_cursor

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="items a page", examples=[50])]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the page before", max_length=500)
]


def id_before(cursor: str | None) -> UUID | None:
    """The id the page continues below; a Problem 422 for a cursor of something else."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    try:
        return UUID(position[0])
    except (IndexError, TypeError, ValueError, AttributeError):
        raise Problem(422, "bad_cursor", "The cursor was not given by this list.") from None


def cut(rows: Sequence[T], limit: int, ids: Sequence[UUID]) -> tuple[Sequence[T], str | None]:
    """The page out of `limit` + 1 rows asked for, and the cursor to the next, if there is one."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode_cursor(str(ids[limit - 1]))
