"""One validator for each kind of parameter, however many applications a test run builds."""

from typing import Any, get_args

import pydantic
from fastapi._compat import v2


def share_adapters() -> None:
    """Building validators is most of what building an application costs, and hundreds of tests
    each build one. Equal types with equal constraints share theirs; adapters have no state.
    """
    made: dict[tuple[Any, str, str], pydantic.TypeAdapter[Any]] = {}

    def adapter(annotated: Any, *, config: Any = None) -> pydantic.TypeAdapter[Any]:
        kind, *constraints = get_args(annotated)
        key = (kind, repr(constraints), repr(config))
        if key not in made:
            made[key] = pydantic.TypeAdapter(annotated, config=config)
        return made[key]

    v2.TypeAdapter = adapter  # type: ignore[misc,assignment]
