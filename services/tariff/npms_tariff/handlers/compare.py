"""An account's use on record, rated under its own plan and under another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.comparison import AccountCompared, AccountLeftOut, Compared
from npms_tariff.domain.rating import NoPlanInForce
from npms_tariff.domain.simulation import (
    Metered,
    Span,
    is_exact,
    month_before,
    rate_again,
    span_between,
)
from npms_tariff.domain.tariff import Tariff
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.storage.simulations import HourRow, SimulatedInstallation


@dataclass(frozen=True, slots=True)
class Account:
    """Its installations in the order of opening, and their hours by installation."""

    account_id: int
    installations: Sequence[SimulatedInstallation]
    hours: dict[int, list[HourRow]]


def accounts_of(found: Sequence[SimulatedInstallation], rows: Sequence[HourRow]) -> list[Account]:
    """Put together what was read set by set; `found` is ordered by account."""
    hours: dict[int, list[HourRow]] = {}
    for row in rows:
        hours.setdefault(row[0], []).append(row)
    return [
        Account(account_id, list(own), hours)
        for account_id, own in groupby(found, key=lambda installation: installation.account_id)
    ]


class Comparer:
    """Keeps a calendar for each plan, zone and class, and a span for each zone."""

    def __init__(
        self,
        catalogue: Catalogue,
        tariff: Tariff,
        span: tuple[datetime, datetime] | None,
        *,
        now_s: int,
        kept_from_s: int,
    ) -> None:
        """`span` None is the last month that has ended in an account's zone; hours of before
        `kept_from_s` are no longer on record."""
        self._catalogue, self._tariff, self._now_s = catalogue, tariff, now_s
        self._bounds, self._kept_from_s = span, kept_from_s
        self._spans: dict[str, Span] = {}
        self._calendars: dict[tuple[str, str], Calendar] = {}

    def compare(self, account: Account) -> AccountCompared | AccountLeftOut:
        span = self._span(account.installations[0].time_zone)
        mine = [
            installation for installation in account.installations if _was_open(installation, span)
        ]
        if not any(
            installation.closed_s is None or installation.closed_s > span.from_s
            for installation in mine
        ):
            return AccountLeftOut(account.account_id, "not_open")
        if any(
            max(span.begins_s, installation.opened_s) < self._kept_from_s for installation in mine
        ):
            return AccountLeftOut(account.account_id, "hours_dropped")
        meters = [
            _metered(installation, account.hours.get(installation.installation_id, []), span)
            for installation in mine
        ]
        try:
            old = rate_again(zip(meters, map(self._old, mine), strict=True), span)
        except NoPlanInForce:
            return AccountLeftOut(account.account_id, "no_plan")
        new = rate_again(zip(meters, map(self._new, mine), strict=True), span)
        charged_micro = sum(_charged(account.hours.get(i.installation_id, []), span) for i in mine)
        compared = Compared.of(
            old,
            new,
            charged_micro=charged_micro,
            exact=all(self._is_exact(installation, span) for installation in mine),
        )
        return AccountCompared(account.account_id, compared)

    def _span(self, time_zone: str) -> Span:
        if time_zone not in self._spans:
            zone = ZoneInfo(time_zone)
            if self._bounds is None:
                self._spans[time_zone] = month_before(self._now_s, zone)
            else:
                self._spans[time_zone] = span_between(*_seconds(self._bounds), zone)
        return self._spans[time_zone]

    def _old(self, installation: SimulatedInstallation) -> Calendar:
        return self._catalogue.calendar(installation)

    def _new(self, installation: SimulatedInstallation) -> Calendar:
        key = (installation.time_zone, installation.customer_class)
        if key not in self._calendars:
            tariff = self._tariff.for_class(installation.customer_class)
            self._calendars[key] = Calendar((tariff,), ZoneInfo(installation.time_zone))
        return self._calendars[key]

    def _is_exact(self, installation: SimulatedInstallation, span: Span) -> bool:
        from_s = max(span.begins_s, installation.opened_s)
        return all(
            is_exact(calendar, from_s, span.to_s)
            for calendar in (self._old(installation), self._new(installation))
        )


def _seconds(span: tuple[datetime, datetime]) -> tuple[int, int]:
    return int(span[0].timestamp()), int(span[1].timestamp())


def _was_open(installation: SimulatedInstallation, span: Span) -> bool:
    return installation.opened_s < span.to_s and (
        installation.closed_s is None or installation.closed_s > span.begins_s
    )


def _charged(rows: Sequence[HourRow], span: Span) -> int:
    return sum(amount for _, hour_s, _, amount in rows if span.from_s <= hour_s < span.to_s)


def _metered(installation: SimulatedInstallation, rows: Sequence[HourRow], span: Span) -> Metered:
    hours = [(hour_s, wh) for _, hour_s, wh, _ in rows if span.begins_s <= hour_s < span.to_s]
    return Metered(
        installation.installation_id,
        installation.account_id,
        installation.connected_w,
        installation.opened_s,
        installation.closed_s,
        installation.replaces_installation_id,
        hours,
    )
