"""What insights are drawn from besides an account's own usage."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Subject:
    """An account by its newest installation; `open_day_s` is the day that rating has come to,
    0 before the first reading."""

    plan_code: str
    customer_class: str
    commodity: str
    currency: str
    opened_at: datetime
    open_day_s: int


@dataclass(frozen=True, slots=True)
class ClassMiddle:
    """The median of a month's use among others of a class, and how many they are."""

    accounts: int
    energy_wh: int
    amount_micro: int


MOST_COMPARED = 2000

_SUBJECT = text(
    """
    SELECT i.plan_code, i.customer_class, i.commodity, i.currency,
           min(i.opened_at) OVER () AS opened_at, max(s.day_s) OVER () AS open_day_s
    FROM installation i JOIN rating_state s USING (installation_id)
    WHERE i.account_id = :account_id ORDER BY i.installation_id DESC LIMIT 1
    """
)
_MIDDLE = text(
    """
    WITH others AS (
        SELECT installation_id, account_id FROM installation
        WHERE plan_code = :plan_code AND customer_class = :customer_class
          AND account_id <> :account_id AND opened_at <= :begins
          AND (closed_at IS NULL OR closed_at >= :ends)
        ORDER BY hashint8(installation_id) LIMIT :most
    ), used AS (
        SELECT sum(u.energy_wh) AS wh, sum(u.amount_micro) AS micro
        FROM others o JOIN usage_month u
            ON u.installation_id = o.installation_id AND u.month = :month
        GROUP BY o.account_id
    )
    SELECT count(*),
           CAST(coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY wh), 0) AS bigint),
           CAST(coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY micro), 0) AS bigint)
    FROM used
    """
)


async def find_subject(conn: AsyncConnection, account_id: int) -> Subject | None:
    """None for an account without any installation."""
    row = (await conn.execute(_SUBJECT, {"account_id": account_id})).one_or_none()
    return Subject(*row) if row else None


async def middle_of_class(
    conn: AsyncConnection,
    account_id: int,
    subject: Subject,
    *,
    month: int,
    span: tuple[datetime, datetime],
) -> ClassMiddle:
    """Of others on the plan and class that were metered all through a month (yyyymm, which spans
    `span`) and used something; of at most `MOST_COMPARED`, chosen by chance but always the same."""
    begins, ends = span
    row = await conn.execute(
        _MIDDLE,
        {
            "plan_code": subject.plan_code,
            "customer_class": subject.customer_class,
            "account_id": account_id,
            "begins": begins,
            "ends": ends,
            "month": month,
            "most": MOST_COMPARED,
        },
    )
    return ClassMiddle(*row.one())
