"""Installations to be rated anew: what each service has of them, side by side."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from npms_operations.audit.findings import Result
from npms_operations.audit.rater.bill import Reading
from npms_operations.audit.snapshots import Row, Snapshots

_PARKED = """
    SELECT installation_id, taken_at_s, register_wh FROM parked_reading
    WHERE installation_id = ANY($1::bigint[])
"""
_READINGS = """
    SELECT installation_id, CAST(extract(epoch FROM taken_at) AS bigint) AS at_s, register_wh
    FROM reading WHERE installation_id = ANY($1::bigint[]) ORDER BY installation_id, taken_at
"""
_CHARGES = """
    SELECT p.installation_id, p.seq, p.energy_wh, -p.amount_micro AS amount_micro, p.tax_micro,
           p.lines, CAST(extract(epoch FROM p.to_at) AS bigint) AS to_s, p.to_register_wh
    FROM posting p JOIN installation i
        ON i.account_id = p.account_id AND i.installation_id = p.installation_id
    WHERE p.kind = 'charge' AND i.installation_id = ANY($1::bigint[])
"""


@dataclass(slots=True)
class Case:
    """One installation: as tariff has it, what the gateway read, what the ledger charged."""

    rated: Row
    parked: set[Reading] = field(default_factory=set)
    readings: list[Reading] = field(default_factory=list)
    charged_wh: int = 0
    charged_micro: int = 0
    tax_micro: int = 0

    def add_charge(self, row: Row) -> None:
        """What was charged was not set aside, but heard again after it was."""
        self.charged_wh += row["energy_wh"]
        self.charged_micro += row["amount_micro"]
        self.tax_micro += row["tax_micro"]
        self.parked.discard((row["to_s"], row["to_register_wh"]))

    @property
    def opening(self) -> Reading:
        return self.rated["opened_s"], self.rated["opening_register_wh"]

    def billable(self) -> list[Reading]:
        """Up to where tariff has come, without what it set aside; the closing register too."""
        upto_s = self.rated["read_at_s"]
        taken = [one for one in self.readings if one[0] <= upto_s and one not in self.parked]
        if upto_s == self.rated["closed_s"] and (not taken or taken[-1][0] < upto_s):
            taken.append((upto_s, self.rated["closing_register_wh"]))
        return taken


async def load_cases(result: Result, snapshots: Snapshots, rated: Iterable[Row]) -> dict[int, Case]:
    """By installation; that every charge is explained by its lines is checked on the way."""
    cases = {row["installation_id"]: Case(row) for row in rated}
    ids = list(cases)
    for row in await snapshots.tariff.rows(_PARKED, ids):
        cases[row["installation_id"]].parked.add((row["taken_at_s"], row["register_wh"]))
    async for row in snapshots.gateway.stream(_READINGS, ids):
        cases[row["installation_id"]].readings.append((row["at_s"], row["register_wh"]))
    async for row in snapshots.ledger.stream(_CHARGES, ids):
        cases[row["installation_id"]].add_charge(row)
        _check_lines(result, row)
    return cases


def _check_lines(result: Result, charge: Row) -> None:
    """The lines that explain a charge sum to it."""
    lines = json.loads(charge["lines"])
    taxes = [line for line in lines if line[0].startswith("tax:")]
    found = sum(line[3] for line in lines), _amount(lines), _amount(taxes)
    expected = charge["energy_wh"], charge["amount_micro"], charge["tax_micro"]
    result.count("explained charges")
    subject = f"installation {charge['installation_id']}"
    result.expect(
        subject, f"(Wh, micro, tax) of lines of {charge['seq']}", found=found, expected=expected
    )


def _amount(lines: list[Any]) -> int:
    return sum(line[4] for line in lines)
