"""What the whole plan language keeps: classes, connected power, demand, days, days and months of use.

Versions written in the first form of the language are written anew in its second.
"""

import json
from decimal import Decimal
from typing import Any

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"

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
        ADD COLUMN carried bigint[] NOT NULL DEFAULT '{}',
        ADD COLUMN day_slots bigint[] NOT NULL DEFAULT '{}',
        ADD COLUMN demand bigint[] NOT NULL DEFAULT '{}',
        ALTER COLUMN plan_version_id SET DEFAULT 0,
        ALTER COLUMN month SET DEFAULT 0,
        ALTER COLUMN days SET DEFAULT 0,
        ALTER COLUMN hour_s SET DEFAULT 0,
        ALTER COLUMN hour_wh SET DEFAULT 0,
        ALTER COLUMN hour_micro SET DEFAULT 0,
        ALTER COLUMN slots SET DEFAULT '{}'
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
    conn = op.get_bind()
    for version_id, document in conn.execute(
        text("SELECT plan_version_id, document FROM plan_version")
    ).all():
        conn.execute(
            text("UPDATE plan_version SET document = CAST(:d AS jsonb) WHERE plan_version_id = :id"),
            {"d": json.dumps(second_form(document)), "id": version_id},
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
