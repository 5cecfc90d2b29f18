"""A page of a list as it is answered."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from npms_shared.web.pages import Page, cut

Found = TypeVar("Found")
Answer = TypeVar("Answer")


def page_of(
    found: Sequence[Found],
    limit: int,
    of: Callable[[Found], Answer],
    *,
    key: Callable[[Found], Any],
) -> Page[Answer]:
    """Out of `limit` + 1 asked for; `key` is what the next page continues at."""
    page, following = cut(found, limit, key)
    return Page(items=[of(thing) for thing in page], next_cursor=following)
