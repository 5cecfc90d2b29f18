"""What the whole plan language keeps: classes, connected power, demand, and use by day and month.

Versions written in the first form of the language are written anew in its second. Lists that are
mostly empty are NULL then: every reading writes the row.
"""

import hashlib
import json
from decimal import Decimal
from typing import Any

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """
    ALTER TABLE installation
        ADD COLUMN customer_class text NOT NULL DEFAULT '',
        ADD COLUMN connected_w bigint NOT NULL DEFAULT 0,
        ADD COLUMN replaces_installation_id bigint
    """,
    """
    ALTER TABLE rating_state
        ADD COLUMN days_left int NOT NULL DEFAULT 0,
        ADD COLUMN used_days int NOT NULL DEFAULT 0,
        ADD COLUMN used_until_s bigint NOT NULL DEFAULT 0,
        ADD COLUMN window_s bigint NOT NULL DEFAULT 0,
        ADD COLUMN day_s bigint NOT NULL DEFAULT 0,
        ADD COLUMN day_wh bigint NOT NULL DEFAULT 0,
        ADD COLUMN day_micro bigint NOT NULL DEFAULT 0,
        ADD COLUMN month_wh bigint NOT NULL DEFAULT 0,
        ADD COLUMN month_micro bigint NOT NULL DEFAULT 0,
        ADD COLUMN carried bigint[],
        ADD COLUMN day_slots bigint[],
        ADD COLUMN demand bigint[],
        ALTER COLUMN plan_version_id SET DEFAULT 0,
        ALTER COLUMN month SET DEFAULT 0,
        ALTER COLUMN days SET DEFAULT 0,
        ALTER COLUMN hour_s SET DEFAULT 0,
        ALTER COLUMN hour_wh SET DEFAULT 0,
        ALTER COLUMN hour_micro SET DEFAULT 0,
        ALTER COLUMN slots DROP NOT NULL
    """,
    """
    ALTER TABLE rating_scope
        ADD COLUMN used_days int NOT NULL DEFAULT 0,
        ADD COLUMN demand bigint[] NOT NULL DEFAULT '{}'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    for table in ("plan_version", "plan_draft"):
        _rewrite(table)


def _rewrite(table: str) -> None:
    conn = op.get_bind()
    found = conn.execute(text(f"SELECT plan_code, version, document FROM {table}"))  # noqa: S608
    for plan_code, version, document in found.all():
        written = second_form(document)
        canonical = json.dumps(written, sort_keys=True, separators=(",", ":"))
        conn.execute(
            text(
                f"UPDATE {table} SET document = CAST(:document AS jsonb), checksum = :checksum "  # noqa: S608
                "WHERE plan_code = :plan_code AND version = :version"
            ),
            {
                "document": canonical,
                "checksum": hashlib.sha256(canonical.encode()).hexdigest(),
                "plan_code": plan_code,
                "version": version,
            },
        )


def second_form(document: dict[str, Any]) -> dict[str, Any]:
    """Blocks with bounds in kWh inside of their periods; the daily charge among the fixed ones."""
    energy = document["energy"]
    bounds = [f"{Decimal(wh) / 1000:f}" for wh in energy.get("block_edges_wh", [])]
    periods = [
        {"name": period["name"], "blocks": _blocks(period["prices"], bounds)}
        for period in energy["periods"]
    ]
    count = "period" if energy.get("block_scope") == "per_period" else "all"
    daily = document.get("daily")
    fixed = [{"name": "daily", "amount": daily["amount"], "per": "day"}] if daily else []
    return {
        "energy": {
            "periods": periods,
            "schedule": energy.get("schedule", []),
            "blocks": {"count": count, "reset": "month", "size": "fixed"},
        },
        "fixed": fixed,
        "taxes": document.get("taxes", []),
    }


def _blocks(prices: list[str], bounds: list[str]) -> list[dict[str, str]]:
    closed = [{"upto": upto, "price": price} for upto, price in zip(bounds, prices, strict=False)]
    return [*closed, {"price": prices[-1]}]
