"""Lists come in pages; a cursor holds the key of the last item shown."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from npms_shared.texts import is_text
from npms_shared.web.problems import Problem
from npms_shared.web.schemas import MAX_ID

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=500, description="items on a page")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before")
]


class Page(BaseModel, Generic[T]):
    """A part of a list; `next_cursor` continues it, null at its end."""

    items: list[T]
    next_cursor: str | None = None


def cut(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """The page out of `limit` + 1 rows asked for, and the cursor to the next, if there is one: the
    key of the last item, or several as a tuple.
    """
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    position = key(page[-1])
    return page, encode_cursor(*(position if isinstance(position, tuple) else (position,)))


def encode_cursor(*position: Any) -> str:
    """An opaque cursor of JSON values; datetimes as ISO text, ids as text."""
    values = [v.isoformat() if isinstance(v, datetime) else v for v in position]
    raw = json.dumps(values, default=str).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str | None) -> list[Any] | None:
    """The position in a cursor; a Problem 422 when it was not made by `encode_cursor`."""
    if cursor is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        position = None
    if not isinstance(position, list) or not all(map(_can_be, position)):
        raise _bad_cursor()
    return position


def number_in(cursor: str | None) -> int | None:
    """The number a page continues at; a Problem 422 for a cursor of something else."""
    match decode_cursor(cursor):
        case None:
            return None
        case [int(number)] if 0 <= number <= MAX_ID:
            return number
    raise _bad_cursor()


def text_in(cursor: str | None) -> str | None:
    """The text a page continues at; a Problem 422 for a cursor of something else."""
    match decode_cursor(cursor):
        case None:
            return None
        case [str(text)]:
            return text
    raise _bad_cursor()


def id_in(cursor: str | None) -> UUID | None:
    """The id a page continues at; a Problem 422 for a cursor of something else."""
    text = text_in(cursor)
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise _bad_cursor() from None


def instant_and_id_in(cursor: str | None) -> tuple[datetime, UUID] | None:
    """When, and which of that time, a page continues at; a Problem 422 for another cursor."""
    match decode_cursor(cursor):
        case None:
            return None
        case [str(instant), str(text)]:
            try:
                at, found = datetime.fromisoformat(instant), UUID(text)
            except ValueError:
                raise _bad_cursor() from None
            if at.tzinfo is not None:
                return at, found
    raise _bad_cursor()


def _can_be(value: Any) -> bool:
    return not isinstance(value, str) or is_text(value)


def _bad_cursor() -> Problem:
    return Problem(422, "bad_cursor", "The cursor was not given by this list.")
