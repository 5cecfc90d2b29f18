"""Integer arrays as PostgreSQL writes them, for the statements that thousands of charges share.

They cost a third less than lists, which the driver searches item by item for lists within.
"""

from collections.abc import Iterable


def integers(values: Iterable[int]) -> str:
    """`{1,2,3}`, for a parameter of `columns`."""
    return "{" + str(list(values))[1:-1] + "}"


def columns(*names: str) -> str:
    """Parameters bound with `integers`, as bigint arrays."""
    return ", ".join(f"CAST(CAST(:{name} AS text) AS bigint[])" for name in names)
