"""Lists are cut into pages by the key of the last item shown."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from npms_shared.web.problems import Problem
from npms_shared.web.schemas import decode_cursor, encode_cursor

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="items on a page")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]
MAX_ID = 2**63 - 1


def cut(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """The page, and the cursor after it where one row more than `limit` was found."""
    page = rows[:limit]
    return page, encode_cursor(key(page[-1])) if len(rows) > limit else None


def number_after(cursor: str | None) -> int | None:
    """The number in a cursor; Problem 422 for anything else."""
    match decode_cursor(cursor):
        case None:
            return None
        case [int(number)] if 0 <= number <= MAX_ID:
            return number
    raise _bad()


def text_after(cursor: str | None) -> str:
    match decode_cursor(cursor):
        case None:
            return ""
        case [str(text)]:
            return text
    raise _bad()


def _bad() -> Problem:
    return Problem(422, "bad_cursor", "The cursor was not given by this list.")
