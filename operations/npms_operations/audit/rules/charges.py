"""Charges are what the audit's own rater makes of the raw readings, to the micro-unit."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from npms_operations.audit.findings import Result
from npms_operations.audit.proof import Options
from npms_operations.audit.rater.almanac import Almanac
from npms_operations.audit.rater.bill import Bill, Reading, bill
from npms_operations.audit.rater.documents import read_version
from npms_operations.audit.rater.plan import Version
from npms_operations.audit.rules.cases import Case, load_cases
from npms_operations.audit.snapshots import Row, Snapshots

RULE = "charges are what an independent rater charges"

CHUNK = 1000
"""Installations whose readings are held in memory together."""

_TOTAL = "SELECT count(*) FROM rating_state WHERE plan_version_id <> 0"
_SAMPLE = """
    WITH RECURSIVE chosen AS (
        SELECT installation_id FROM rating_state WHERE plan_version_id <> 0
        ORDER BY hashint8(installation_id), installation_id LIMIT $1
    ), chain AS (
        SELECT installation_id FROM chosen
        UNION
        SELECT i.replaces_installation_id FROM chain JOIN installation i USING (installation_id)
        WHERE i.replaces_installation_id IS NOT NULL
    )
    SELECT s.installation_id, i.plan_code, i.time_zone, i.opening_register_wh, s.read_at_s,
           CAST(floor(extract(epoch FROM i.opened_at)) AS bigint) AS opened_s,
           CAST(floor(extract(epoch FROM i.closed_at)) AS bigint) AS closed_s,
           i.closing_register_wh, s.charged_micro, i.customer_class, i.connected_w,
           i.replaces_installation_id,
           EXISTS (SELECT 1 FROM correction_item c WHERE c.installation_id = s.installation_id
                   AND c.refusal IS NULL) AS corrected
    FROM rating_state s JOIN installation i USING (installation_id)
    JOIN chain USING (installation_id)
    ORDER BY s.installation_id
"""
_VERSIONS = """
    SELECT plan_code, plan_version_id, document,
           CAST(floor(extract(epoch FROM valid_from)) AS bigint) AS valid_from_s,
           CAST(floor(extract(epoch FROM activated_at)) AS bigint) AS activated_s
    FROM plan_version ORDER BY plan_code, valid_from, version
"""


@dataclass(slots=True)
class Plan:
    """Versions (id, beginning, document) in the order in which they take over. `backdated`: between
    a version's beginning and its later activation, readings may have been rated by the version
    before."""

    versions: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    backdated: list[range] = field(default_factory=list)

    def for_one(self, customer_class: str, connected_w: int) -> list[Version]:
        return [
            read_version(*version, customer_class=customer_class, connected_w=connected_w)
            for version in self.versions
        ]

    def is_ambiguous(self, readings: Sequence[Reading]) -> bool:
        return any(at_s in span for span in self.backdated for at_s, _ in readings)


AMBIGUOUS = "a version of its plan was activated after readings it should have priced"
CORRECTED = "what was charged was corrected since: see the adjustments"


async def _plans(snapshots: Snapshots) -> dict[str, Plan]:
    plans: dict[str, Plan] = defaultdict(Plan)
    for row in await snapshots.tariff.rows(_VERSIONS):
        document, valid_from_s = json.loads(row["document"]), row["valid_from_s"]
        plan = plans[row["plan_code"]]
        plan.versions.append((row["plan_version_id"], valid_from_s, document))
        plan.backdated.append(range(valid_from_s + 1, row["activated_s"] + 1))
    return plans


AlmanacKey = tuple[str, str, str, int]
"""(plan, time zone, customer class, connected W): what makes prices and times the same."""

Almanacs = dict[AlmanacKey, Almanac]


def _key(row: Row) -> AlmanacKey:
    return row["plan_code"], row["time_zone"], row["customer_class"], row["connected_w"]


async def check_charges(snapshots: Snapshots, options: Options) -> Result:
    """A sample of installations, the same in every run; energy, charges, tax and their lines."""
    result = Result(RULE)
    total = await snapshots.tariff.value(_TOTAL)
    rows = await snapshots.tariff.rows(_SAMPLE, options.sample or None)
    result.count(f"of {total:,} installations", len(rows))
    plans = await _plans(snapshots)
    almanacs = _almanacs(plans, rows)
    bills: dict[int, Bill] = {}
    for begin in range(0, len(rows), CHUNK):
        cases = await load_cases(result, snapshots, rows[begin : begin + CHUNK])
        await asyncio.to_thread(
            _rate_all, result, cases, plans=plans, almanacs=almanacs, bills=bills
        )
        if len(rows) > CHUNK:
            rated = min(begin + CHUNK, len(rows))
            options.progress(f"rated {rated:,} of {len(rows):,} installations")
    return result


def _almanacs(plans: dict[str, Plan], rows: Sequence[Row]) -> Almanacs:
    """One for each key, over all the time its installations need."""
    spans: dict[AlmanacKey, tuple[int, int]] = {}
    for row in rows:
        from_s, to_s = spans.get(_key(row), (row["opened_s"], 0))
        spans[_key(row)] = min(from_s, row["opened_s"]), max(to_s, row["read_at_s"])
    return {
        key: Almanac(plans[key[0]].for_one(*key[2:]), ZoneInfo(key[1]), from_s=from_s, to_s=to_s)
        for key, (from_s, to_s) in spans.items()
    }


def _rate_all(
    result: Result,
    cases: dict[int, Case],
    *,
    plans: dict[str, Plan],
    almanacs: Almanacs,
    bills: dict[int, Bill],
) -> None:
    """A meter comes after the one whose place it took; `bills` has those that were closed."""
    for installation_id, case in sorted(cases.items()):
        subject, readings, key = (
            f"installation {installation_id}",
            case.billable(),
            _key(case.rated),
        )
        if plans[key[0]].is_ambiguous(readings):
            result.notes.append(f"{subject} not rated: {AMBIGUOUS}")
        elif _is_corrected(case, cases):
            result.notes.append(f"{subject} not rated: {CORRECTED}")
        elif not almanacs[key].covers(case.opening[0]):
            result.broken(subject, "charged though no version of its plan was in force")
        else:
            result.count("readings", len(readings))
            before = bills.get(case.rated["replaces_installation_id"])
            made = bill(case.opening, readings, almanacs[key], before=before)
            if case.rated["closed_s"] is not None:
                made.close()
                bills[installation_id] = made
            _compare(result, subject, case, made)


def _is_corrected(case: Case, cases: dict[int, Case]) -> bool:
    """It was, or the meter whose place it took."""
    before = cases.get(case.rated["replaces_installation_id"])
    return case.rated["corrected"] or (before is not None and _is_corrected(before, cases))


def _compare(result: Result, subject: str, case: Case, made: Bill) -> None:
    result.expect(subject, "charged Wh", found=case.charged_wh, expected=made.energy_wh)
    result.expect(subject, "charged micro", found=case.charged_micro, expected=made.cost_micro)
    result.expect(subject, "of it tax", found=case.tax_micro, expected=made.tax_micro)
    rated = case.rated["charged_micro"]
    result.expect(subject, "micro charged by tariff", found=rated, expected=made.cost_micro)
