"""Charges as columns: put together, picked apart."""

from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = (
    "installation_id",
    "account_id",
    "from_register_wh",
    "to_register_wh",
    "from_s",
    "to_s",
    "plan_version_id",
    "energy_wh",
    "amount_micro",
    "tax_micro",
    "lines",
)

Columns = dict[str, list[Any]]
"""The columns of ChargesBatch, all of one length."""


def gather(parts: Iterable[Mapping[str, Any]]) -> Columns:
    """All parts' columns, one after the other."""
    several = list(parts)
    if len(several) == 1:
        return {name: several[0][name] for name in COLUMNS}
    return {name: [value for part in several for value in part[name]] for name in COLUMNS}


def pick(columns: Columns, indexes: list[int]) -> Columns:
    return {name: [values[index] for index in indexes] for name, values in columns.items()}
