"""A hundred thousand installations, put into three databases by the set."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from npms_ledger.storage.seals import DIGESTS
from npms_shared.clock import wall_now
from npms_shared.messaging.partitions import partition_of
from npms_tools.stack.databases import ServiceDatabase

PLAN = "bench"
CURRENCY = "KES"
ZONE = "Africa/Nairobi"
OPENING_WH = 1_000_000
HISTORY = timedelta(days=400)
"""How long ago the readings begin: sweeps then run through days and hours as real ones would."""
CREDIT_MICRO = 10**13

_SEAL = f"""
    INSERT INTO seal SELECT 'bench', 1, journal_id, digest, sha256('bench'),
        sha256(sha256('bench') || digest) FROM ({DIGESTS}) AS made WHERE journal_id = $1
"""  # noqa: S608 - a query of the ledger's
ALL_WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _period(name: str, *prices: str) -> dict[str, Any]:
    bounds = [{"upto": "50"}, {"upto": "150"}, {}]
    return {"name": name, "blocks": [b | {"price": p} for b, p in zip(bounds, prices, strict=True)]}


def _band(period: str, start: str, end: str) -> dict[str, Any]:
    return {"period": period, "weekdays": ALL_WEEK, "from": start, "to": end}


DOCUMENT: dict[str, Any] = {
    "energy": {
        "periods": [
            _period("night", "9.000000", "13.000000", "17.000000"),
            _period("day", "12.000000", "16.000000", "21.000000"),
            _period("peak", "18.000000", "24.000000", "31.000000"),
        ],
        "schedule": [
            _band("night", "00:00", "06:00"),
            _band("day", "06:00", "18:00"),
            _band("peak", "18:00", "22:00"),
            _band("night", "22:00", "24:00"),
        ],
    },
    "fixed": [{"name": "standing", "amount": "5.000000", "per": "day"}],
    "taxes": [
        {"name": "vat", "rate_ppm": 160_000, "on": ["energy", "standing"]},
        {"name": "levy", "rate_ppm": 50_000, "on": ["energy"]},
    ],
}
"""Three periods, three blocks, a daily charge and two taxes."""

POLICY: dict[str, Any] = {
    "floor_micro": 0,
    "thresholds": [],
    "emergency": None,
    "debt_share_ppm": 0,
    "friendly": [],
    "holidays": [],
    "remind_minutes": 60,
}


def begins_at() -> datetime:
    """The opening of every installation, on a whole hour."""
    start = wall_now().astimezone(UTC) - HISTORY
    return start.replace(minute=0, second=0, microsecond=0)


async def seed(
    databases: dict[str, ServiceDatabase], *, count: int, partitions: int, opened_at: datetime
) -> None:
    """Accounts 1 … count with an installation of the same number, all in credit."""
    for service, work in (("ledger", _ledger), ("tariff", _tariff), ("meter-gateway", _gateway)):
        conn = await asyncpg.connect(databases[service].migration_url)
        try:
            async with conn.transaction():
                await work(conn, count, opened_at, partitions)
            await conn.execute("VACUUM ANALYZE")
        finally:
            await conn.close()


async def _ledger(
    conn: "asyncpg.Connection[Any]", count: int, opened_at: datetime, _partitions: int
) -> None:
    await conn.execute(
        "INSERT INTO credit_policy VALUES ('bench', 1, $1) ON CONFLICT DO NOTHING", CURRENCY
    )
    await conn.execute(
        "INSERT INTO credit_policy_version VALUES ('bench', 1, $1, 'bench', $2)",
        json.dumps(POLICY),
        opened_at,
    )
    await conn.execute(
        "INSERT INTO customer SELECT n, 'bench', 'en', '[]', $2 FROM generate_series(1, $1::int) n",
        count,
        opened_at,
    )
    await conn.execute(
        "INSERT INTO account SELECT n, n, $2, $3, 'bench', $4 FROM generate_series(1, $1::int) n",
        count,
        CURRENCY,
        ZONE,
        opened_at,
    )
    await conn.execute(
        "INSERT INTO usage_point SELECT n, 'bench', 'electricity', 50000 "
        "FROM generate_series(1, $1::int) n",
        count,
    )
    await conn.execute(
        "INSERT INTO installation SELECT n, n, n, 'B' || n, 'eastron_sdm120', 'sent-to-us', 0, 0, "
        "$2, $3, NULL, $4 FROM generate_series(1, $1::int) n",
        count,
        PLAN,
        OPENING_WH,
        opened_at,
    )
    await _credit(conn, count, opened_at)


async def _credit(conn: "asyncpg.Connection[Any]", count: int, opened_at: datetime) -> None:
    """One journal gives everyone credit, from an account of its own, so that the books balance."""
    journal = await conn.fetchval(
        "INSERT INTO journal (journal_id, kind, posted_at) "
        "VALUES (gen_random_uuid(), 'bench', $1) RETURNING journal_id",
        opened_at,
    )
    await conn.execute(
        "INSERT INTO position (account_id, balance_micro, seq, wake_micro, warned_micro, "
        "was_in_credit, supply_on, reason) "
        "SELECT n, $2, 1, 0, -4611686018427387904, true, true, 'in_credit' "
        "FROM generate_series(1, $1::int) n",
        count,
        CREDIT_MICRO,
    )
    await conn.execute(
        "INSERT INTO posting "
        "(account_id, seq, journal_id, amount_micro, after_micro, bucket, kind) "
        "SELECT n, 1, $2, $3, $3, 'balance', 'opening' FROM generate_series(1, $1::int) n",
        count,
        journal,
        CREDIT_MICRO,
    )
    await conn.execute(
        "INSERT INTO system_posting VALUES ($1, 'opening_credit', $2, $3)",
        journal,
        CURRENCY,
        -CREDIT_MICRO * count,
    )
    await conn.execute(_SEAL, journal)
    await conn.execute("INSERT INTO seal_head SELECT chain, seq, prev_hash, hash FROM seal")


async def _tariff(
    conn: "asyncpg.Connection[Any]", count: int, opened_at: datetime, _partitions: int
) -> None:
    await conn.execute(
        "INSERT INTO plan VALUES ($1, 'bench', 'electricity', $2, $3, 'bench')",
        PLAN,
        CURRENCY,
        opened_at,
    )
    await conn.execute(
        "INSERT INTO plan_version (plan_code, version, valid_from, document, checksum, "
        "activated_at, activated_by) VALUES ($1, 1, $2, $3, 'bench', $2, 'bench')",
        PLAN,
        opened_at,
        json.dumps(DOCUMENT),
    )
    await conn.execute(
        "INSERT INTO installation SELECT n, n, n, $2, 'electricity', $3, $4, $5, $6 "
        "FROM generate_series(1, $1::int) n",
        count,
        PLAN,
        CURRENCY,
        ZONE,
        OPENING_WH,
        opened_at,
    )
    await conn.execute(
        "INSERT INTO rating_state SELECT n, 0, $2, $3, 0, 0, 0, 0, 0, 0, 0, $3, 0, 0, 0, '{}' "
        "FROM generate_series(1, $1::int) n",
        count,
        OPENING_WH,
        int(opened_at.timestamp()),
    )


async def _gateway(
    conn: "asyncpg.Connection[Any]", count: int, opened_at: datetime, partitions: int
) -> None:
    numbers = range(1, count + 1)
    await conn.execute(
        "INSERT INTO installation (installation_id, account_id, partition, serial, profile, host, "
        "port, unit_id, max_power_w, opening_register_wh, opened_at) "
        "SELECT n, n, p, 'B' || n, 'eastron_sdm120', 'sent-to-us', 0, 0, 50000, $3, $4 "
        "FROM unnest($1::bigint[], $2::int[]) AS t (n, p)",
        list(numbers),
        [partition_of(number, partitions) for number in numbers],
        OPENING_WH,
        opened_at,
    )
