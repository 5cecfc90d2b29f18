"""Compare answers of different databases without holding any of them whole."""

from collections.abc import AsyncIterator
from typing import Any

from npms_operations.audit.snapshots import Row


async def merged(*streams: AsyncIterator[Row]) -> AsyncIterator[tuple[Any, list[Row | None]]]:
    """Each key once, ascending, with each stream's row for it or None.

    A row's key is its first column; every stream must come in strictly rising order of it.
    """
    heads = [await anext(stream, None) for stream in streams]
    while any(head is not None for head in heads):
        key = min(head[0] for head in heads if head is not None)
        found = [head if head is not None and head[0] == key else None for head in heads]
        yield key, found
        for i, row in enumerate(found):
            if row is not None:
                heads[i] = await _next(streams[i], after=key)


async def _next(stream: AsyncIterator[Row], *, after: Any) -> Row | None:
    row = await anext(stream, None)
    assert row is None or row[0] > after, f"{row[0]} after {after}: not in order"
    return row
