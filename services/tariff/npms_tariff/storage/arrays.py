"""Columns of numbers as PostgreSQL writes arrays.

A driver looks at every item of an array it encodes; text that the server parses costs
both sides half as much.
"""

from collections.abc import Iterable, Sequence


def array(numbers: Sequence[int]) -> str:
    """For CAST(:numbers AS text)::bigint[]."""
    return f"{{{repr(list(numbers))[1:-1]}}}"


def array_of_arrays(rows: Iterable[Sequence[int]]) -> str:
    """For CAST(:rows AS text)::text[]: arrays of different lengths, each as text."""
    return "{" + ",".join([f'"{array(row)}"' for row in rows]) + "}"
