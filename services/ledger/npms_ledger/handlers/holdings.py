"""An account's debts, grants and monthly charges: rows as the rules know them, and back."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.debt import Debt, DebtKind, DebtTerms
from npms_ledger.domain.grant import ChargeKind, Grant, GrantKind, GrantTerms
from npms_ledger.domain.periods import Period, PerPeriod, local_day
from npms_ledger.domain.position import Position
from npms_ledger.domain.vend import NO_VEND, PlanCharges, Vend, VendCharge, VendDue
from npms_ledger.storage import debts, grants, vend

UNSTORED = Position()
Fields = dict[str, Any]
"""A stored row, times as ISO text where it comes as JSON."""


def debts_of(rows: Iterable[Fields] | None) -> tuple[Debt, ...]:
    return tuple(to_debt(row) for row in rows or ())


def to_debt(row: Fields) -> Debt:
    return Debt(
        number=row["debt_no"],
        remaining_micro=row["remaining_micro"],
        terms=DebtTerms(
            label=row["label"],
            kind=DebtKind(row["kind"]),
            priority=row["priority"],
            share_ppm=row["share_ppm"],
            minimum_micro=row["minimum_micro"],
            cap=_per_period(row["cap_micro"], row["cap_period"]),
            rate=_per_period(row["rate_micro"], row["rate_period"]),
            suspend_in_emergency=row["suspend_in_emergency"],
            suspend_when_off=row["suspend_when_off"],
        ),
        taken_micro=row["taken_micro"],
        taken_since=_date(row["taken_since"]),
        next_at=_time(row["next_at"]),
    )


def debt_row(account_id: int, debt: Debt) -> Fields:
    """A debt as the columns of its row."""
    terms = debt.terms
    return {
        "account_id": account_id,
        "debt_no": debt.number,
        "label": terms.label,
        "kind": terms.kind.value,
        "priority": terms.priority,
        "share_ppm": terms.share_ppm,
        "minimum_micro": terms.minimum_micro,
        "cap_micro": terms.cap and terms.cap.amount_micro,
        "cap_period": terms.cap and terms.cap.period.value,
        "rate_micro": terms.rate and terms.rate.amount_micro,
        "rate_period": terms.rate and terms.rate.period.value,
        "suspend_in_emergency": terms.suspend_in_emergency,
        "suspend_when_off": terms.suspend_when_off,
        "remaining_micro": debt.remaining_micro,
        "taken_micro": debt.taken_micro,
        "taken_since": debt.taken_since,
        "next_at": debt.next_at,
    }


def grants_of(rows: Iterable[Fields] | None) -> tuple[Grant, ...]:
    return tuple(to_grant(row) for row in rows or ())


def to_grant(row: Fields) -> Grant:
    return Grant(
        number=row["grant_no"],
        terms=GrantTerms(
            label=row["label"],
            kind=GrantKind(row["kind"]),
            priority=row["priority"],
            amount_micro=row["amount_micro"],
            draws_on=frozenset(ChargeKind(kind) for kind in row["draws_on"]),
            monthly=row["monthly"],
            rollover_max_micro=row["rollover_max_micro"],
        ),
        remaining_micro=row["remaining_micro"],
        ends_at=_time(row["ends_at"]),
        renews_at=_time(row["renews_at"]),
        ended=row["ended"],
    )


def grant_row(account_id: int, grant: Grant) -> Fields:
    """A grant as the columns of its row."""
    terms = grant.terms
    return {
        "account_id": account_id,
        "grant_no": grant.number,
        "label": terms.label,
        "kind": terms.kind.value,
        "priority": terms.priority,
        "amount_micro": terms.amount_micro,
        "draws_on": sorted(kind.value for kind in terms.draws_on),
        "monthly": terms.monthly,
        "rollover_max_micro": terms.rollover_max_micro,
        "remaining_micro": grant.remaining_micro,
        "ends_at": grant.ends_at,
        "renews_at": grant.renews_at,
        "ended": grant.ended,
    }


def vend_of(plans: list[list[Any]] | None, begun: list[Fields] | None, zone: ZoneInfo) -> Vend:
    """Plans as [code, valid from, charges]; a version is in force from the local day on."""
    if not begun and not any(charges for _, _, charges in plans or ()):
        return NO_VEND
    return Vend(
        plans=tuple(
            PlanCharges(
                plan_code=code,
                valid_from=local_day(datetime.fromisoformat(valid_from), zone),
                charges=tuple(VendCharge(**charge) for charge in charges),
            )
            for code, valid_from, charges in plans or ()
        ),
        begun=tuple(_due(row) for row in begun or ()),
    )


def _due(row: Fields) -> VendDue:
    charge = VendCharge(row["name"], row["amount_micro"], row["tax_micro"])
    return VendDue(row["month"], charge, row["taken_micro"])


async def save(conn: AsyncConnection, accounts: Iterable[Account], now: datetime) -> None:
    """Store what of the accounts' debts, grants and monthly charges has changed."""
    changed_debts: list[Fields] = []
    changed_grants: list[Fields] = []
    changed_dues: list[Fields] = []
    for account in accounts:
        held, stored, account_id = account.position, account.taken or UNSTORED, account.account_id
        if held.debts != stored.debts:
            fresh = set(held.debts) - set(stored.debts)
            changed_debts += [debt_row(account_id, debt) for debt in fresh]
        if held.grants != stored.grants:
            new = set(held.grants) - set(stored.grants)
            changed_grants += [grant_row(account_id, grant) for grant in new]
        if held.vend != stored.vend:
            changed_dues += _due_rows(account_id, held.vend)
    await debts.save(conn, changed_debts, now)
    await grants.save(conn, changed_grants)
    await vend.save(conn, changed_dues)


def _due_rows(account_id: int, held: Vend) -> list[Fields]:
    return [
        {
            "account_id": account_id,
            "month": due.month,
            "name": due.charge.name,
            "amount_micro": due.charge.amount_micro,
            "tax_micro": due.charge.tax_micro,
            "taken_micro": due.taken_micro,
        }
        for due in held.begun
    ]


def _per_period(amount_micro: int | None, period: str | None) -> PerPeriod | None:
    if amount_micro is None or period is None:
        return None
    return PerPeriod(amount_micro, Period(period))


def _time(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _date(value: date | str | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value
