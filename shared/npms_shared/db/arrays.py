"""Columns of numbers as PostgreSQL writes arrays, for statements that thousands of rows share.

A driver looks at every item of an array it encodes; text that the server parses costs both sides
half as much.
"""

from collections.abc import Iterable


def array(numbers: Iterable[int]) -> str:
    """`{1,2,3}`: the value of a parameter that stands in `arrays` or `arrays_of`."""
    return "{" + str(list(numbers))[1:-1] + "}"


def arrays(*names: str) -> str:
    """Parameters bound with `array`, as bigint arrays, for `unnest` or `ANY`."""
    return ", ".join(arrays_of("bigint", name) for name in names)


def arrays_of(kind: str, name: str) -> str:
    """One parameter bound with `array`, as an array of another type."""
    return f"CAST(CAST(:{name} AS text) AS {kind}[])"
