"""Charges are what the audit's own rater makes of the raw readings, to the micro-unit."""

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from npms_tools.audit.findings import Result
from npms_tools.audit.proof import Options
from npms_tools.audit.rater.almanac import Almanac
from npms_tools.audit.rater.bill import Bill, Reading, bill
from npms_tools.audit.rater.documents import read_version
from npms_tools.audit.rater.plan import Version
from npms_tools.audit.snapshots import Row, Snapshots

RULE = "charges are what an independent rater charges"

_TOTAL = "SELECT count(*) FROM rating_state WHERE readings_billed > 0"
_SAMPLE = """
    SELECT s.installation_id, i.plan_code, i.time_zone, i.opening_register_wh, s.read_at_s,
           CAST(floor(extract(epoch FROM i.opened_at)) AS bigint) AS opened_s,
           CAST(floor(extract(epoch FROM i.closed_at)) AS bigint) AS closed_s,
           i.closing_register_wh, s.charged_micro
    FROM rating_state s JOIN installation i USING (installation_id)
    WHERE s.readings_billed > 0
    ORDER BY hashint8(s.installation_id), s.installation_id LIMIT $1
"""
_VERSIONS = """
    SELECT plan_code, plan_version_id, document,
           CAST(floor(extract(epoch FROM valid_from)) AS bigint) AS valid_from_s,
           CAST(floor(extract(epoch FROM activated_at)) AS bigint) AS activated_s
    FROM plan_version ORDER BY plan_code, valid_from, version
"""
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

    @property
    def opening(self) -> Reading:
        return self.rated["opened_s"], self.rated["opening_register_wh"]

    @property
    def billable(self) -> list[Reading]:
        """Up to where tariff has come, without what it set aside; the closing register too."""
        upto_s = self.rated["read_at_s"]
        taken = [one for one in self.readings if one[0] <= upto_s and one not in self.parked]
        if upto_s == self.rated["closed_s"] and (not taken or taken[-1][0] < upto_s):
            taken.append((upto_s, self.rated["closing_register_wh"]))
        return taken


async def check_charges(snapshots: Snapshots, options: Options) -> Result:
    """A sample of installations, the same in every run; energy, charges, tax and their lines."""
    result = Result(RULE)
    total = await snapshots.tariff.value(_TOTAL)
    rows = await snapshots.tariff.rows(_SAMPLE, options.sample or None)
    cases = {row["installation_id"]: Case(row) for row in rows}
    result.count("installations", len(cases))
    result.count("installations in all", total)
    await _load(result, snapshots, cases)
    plans = await _plans(snapshots)
    almanacs = _almanacs(plans, cases)
    for installation_id, case in sorted(cases.items()):
        if plans[case.rated["plan_code"]].is_ambiguous(case):
            result.notes.append(f"installation {installation_id} not rated: {AMBIGUOUS}")
            continue
        made = await asyncio.to_thread(_rate, case, almanacs)
        result.count("readings", len(case.billable))
        _compare(result, f"installation {installation_id}", case, made)
    return result


async def _load(result: Result, snapshots: Snapshots, cases: dict[int, Case]) -> None:
    ids = list(cases)
    for row in await snapshots.tariff.rows(_PARKED, ids):
        cases[row["installation_id"]].parked.add((row["taken_at_s"], row["register_wh"]))
    async for row in snapshots.gateway.stream(_READINGS, ids):
        cases[row["installation_id"]].readings.append((row["at_s"], row["register_wh"]))
    async for row in snapshots.ledger.stream(_CHARGES, ids):
        case = cases[row["installation_id"]]
        case.charged_wh += row["energy_wh"]
        case.charged_micro += row["amount_micro"]
        case.tax_micro += row["tax_micro"]
        case.parked.discard((row["to_s"], row["to_register_wh"]))
        _check_lines(result, row)


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


@dataclass(slots=True)
class Plan:
    """Versions in the order in which they take over. `backdated`: between a version's beginning and
    its later activation, readings may have been rated by the version before."""

    versions: list[Version] = field(default_factory=list)
    backdated: list[range] = field(default_factory=list)

    def is_ambiguous(self, case: Case) -> bool:
        return any(at_s in span for span in self.backdated for at_s, _ in case.billable)


AMBIGUOUS = "a version of its plan was activated after readings it should have priced"


async def _plans(snapshots: Snapshots) -> dict[str, Plan]:
    plans: dict[str, Plan] = defaultdict(Plan)
    for row in await snapshots.tariff.rows(_VERSIONS):
        document, valid_from_s = json.loads(row["document"]), row["valid_from_s"]
        plan = plans[row["plan_code"]]
        plan.versions.append(read_version(row["plan_version_id"], valid_from_s, document))
        plan.backdated.append(range(valid_from_s + 1, row["activated_s"] + 1))
    return plans


Almanacs = dict[tuple[str, str], Almanac]


def _almanacs(plans: dict[str, Plan], cases: dict[int, Case]) -> Almanacs:
    """One for each plan and zone, over all the time its installations need."""
    spans: dict[tuple[str, str], tuple[int, int]] = {}
    for case in cases.values():
        key = case.rated["plan_code"], case.rated["time_zone"]
        from_s, to_s = spans.get(key, (case.opening[0], 0))
        spans[key] = min(from_s, case.opening[0]), max(to_s, case.rated["read_at_s"])
    return {
        (code, zone): Almanac(plans[code].versions, ZoneInfo(zone), from_s=from_s, to_s=to_s)
        for (code, zone), (from_s, to_s) in spans.items()
    }


def _rate(case: Case, almanacs: Almanacs) -> Bill | None:
    """None where no version of the plan was in force at the opening."""
    almanac = almanacs[case.rated["plan_code"], case.rated["time_zone"]]
    if not almanac.covers(case.opening[0]):
        return None
    return bill(case.opening, case.billable, almanac)


def _compare(result: Result, subject: str, case: Case, made: Bill | None) -> None:
    if made is None:
        result.broken(subject, "charged though no version of its plan was in force")
        return
    result.expect(subject, "charged Wh", found=case.charged_wh, expected=made.energy_wh)
    result.expect(subject, "charged micro", found=case.charged_micro, expected=made.cost_micro)
    result.expect(subject, "of it tax", found=case.tax_micro, expected=made.tax_micro)
    rated = case.rated["charged_micro"]
    result.expect(subject, "micro charged by tariff", found=rated, expected=made.cost_micro)
