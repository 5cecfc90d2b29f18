"""Charges as columns: put together, picked apart."""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from npms_shared.contracts.tariff import ChargesBatch

COLUMNS = ChargesBatch.columns()

Columns = dict[str, list[Any]]
"""The columns of ChargesBatch, all of one length."""


def gather(parts: Iterable[Mapping[str, Any]]) -> Columns:
    """All parts' columns, one after the other."""
    several = list(parts)
    if len(several) == 1:
        return {name: several[0][name] for name in COLUMNS}
    return {name: [value for part in several for value in part[name]] for name in COLUMNS}


def by_account(columns: Columns) -> Columns:
    """In the order of accounts; the charges of each stay in theirs."""
    account_ids = columns["account_id"]
    if len(account_ids) < 2:
        return columns
    take = itemgetter(*sorted(range(len(account_ids)), key=account_ids.__getitem__))
    return {name: list(take(values)) if values else values for name, values in columns.items()}


def pick(columns: Columns, indexes: list[int]) -> Columns:
    """Some charges only, by their places."""
    return {name: [values[index] for index in indexes] for name, values in columns.items()}
