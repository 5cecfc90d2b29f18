"""Rules that must always hold, as bounded queries that a service runs on a schedule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text

from npms_shared.clock import wall_now
from npms_shared.db.engine import Database
from npms_shared.observability import metrics

SAMPLE_ROWS = 20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """`query` returns the rows that break what `says` says; none when all is well."""

    name: str
    says: str
    query: str


@dataclass(frozen=True, slots=True)
class Violation:
    rule: Rule
    rows: Sequence[Any]


async def check(database: Database, rules: Sequence[Rule]) -> list[Violation]:
    """Ask every rule in a read-only transaction; at most SAMPLE_ROWS rows are brought back."""
    found = []
    for rule in rules:
        async with database.connect() as conn:
            await conn.execute(text("SET TRANSACTION READ ONLY"))
            rows = (await conn.execute(text(rule.query))).fetchmany(SAMPLE_ROWS)
        metrics.INVARIANT_VIOLATIONS.labels(rule=rule.name).set(len(rows))
        if rows:
            log.error(
                "invariant_violated", rule=rule.name, sample=[dict(r._mapping) for r in rows[:3]]
            )
            found.append(Violation(rule, rows))
    metrics.INVARIANT_LAST_RUN.set(wall_now().timestamp())
    return found
