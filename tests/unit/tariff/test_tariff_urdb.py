"""A rate of the Utility Rate Database becomes a plan, and what is lost is said."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_tariff.importing import urdb
from npms_tariff.importing.findings import CannotImport

MONTH_NUMBERS = range(12)
LAST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def grid(*, peak: range = range(0), months: range = MONTH_NUMBERS, period: int = 1):
    """Period 0 with another one in some hours of some months."""
    return [
        [period if month in months and hour in peak else 0 for hour in range(24)]
        for month in MONTH_NUMBERS
    ]


def rate(**fields: Any) -> dict[str, Any]:
    return {"label": "x", "energyratestructure": [[{"rate": 0.1, "unit": "kWh"}]], **fields}


def findings(made) -> dict[str, str]:
    return {finding.pointer: finding.kind for finding in made.findings}


def test_one_price_needs_no_schedule():
    made = urdb.convert(rate(fixedchargefirstmeter=12.5, fixedchargeunits="$/month"))
    assert made.document == {
        "energy": {"periods": [{"name": "p1", "blocks": [{"price": "0.100000"}]}]},
        "fixed": [{"name": "service", "amount": "12.500000", "per": "month"}],
    }
    assert made.findings == []


def test_rate_and_adjustment_are_one_exact_price():
    tier = {"rate": Decimal("0.07"), "adj": Decimal("0.01")}
    made = urdb.convert(rate(energyratestructure=[[tier]]))
    assert made.document["energy"]["periods"][0]["blocks"] == [{"price": "0.080000"}]


def test_summer_peaks_become_a_season_and_bands():
    made = urdb.convert(
        rate(
            energyratestructure=[[{"rate": 0.1}], [{"rate": 0.3}]],
            energyweekdayschedule=grid(peak=range(16, 21), months=range(5, 9)),
            energyweekendschedule=grid(),
        )
    )
    assert made.document["seasons"] == [
        {"name": "oct-may", "from": "10-01", "to": "05-31"},
        {"name": "jun-sep", "from": "06-01", "to": "09-30"},
    ]
    working, weekend = ["mon", "tue", "wed", "thu", "fri"], ["sat", "sun"]
    summer = {"seasons": ["jun-sep"]}
    assert made.document["energy"]["schedule"] == [
        {"period": "p1", "weekdays": [*working, *weekend], "from": "00:00", "to": "24:00",
         "seasons": ["oct-may"]},
        {"period": "p1", "weekdays": working, "from": "00:00", "to": "16:00", **summer},
        {"period": "p2", "weekdays": working, "from": "16:00", "to": "21:00", **summer},
        {"period": "p1", "weekdays": working, "from": "21:00", "to": "24:00", **summer},
        {"period": "p1", "weekdays": weekend, "from": "00:00", "to": "24:00", **summer},
    ]  # fmt: skip


def test_months_apart_with_the_same_hours_share_their_bands():
    rows = grid(peak=range(24), months=range(1, 2))
    rows[6] = [1] * 24
    made = urdb.convert(
        rate(
            energyratestructure=[[{"rate": 0.1}], [{"rate": 0.3}]],
            energyweekdayschedule=rows,
            energyweekendschedule=rows,
        )
    )
    names = [season["name"] for season in made.document["seasons"]]
    assert names == ["jan", "feb", "mar-jun", "jul", "aug-dec"] or names[0] == "aug-jan"
    bands = {band["period"]: band["seasons"] for band in made.document["energy"]["schedule"]}
    assert bands["p2"] == ["feb", "jul"]


def test_labels_name_the_periods_where_they_can():
    fields = rate(
        energyratestructure=[[{"rate": 0.1}], [{"rate": 0.3}]],
        energyweekdayschedule=grid(peak=range(8)),
        energyweekendschedule=grid(),
        energytoulabels=["Off-Peak", "Super peak!"],
    )
    names = [p["name"] for p in urdb.convert(fields).document["energy"]["periods"]]
    assert names == ["off-peak", "super-peak"]
    fields["energytoulabels"] = ["Energy", "Peak"]
    names = [p["name"] for p in urdb.convert(fields).document["energy"]["periods"]]
    assert names == ["p1", "p2"]


def test_tiers_a_month_and_a_day():
    tiers = [{"max": 500, "rate": 0.1, "unit": "kWh"}, {"rate": 0.2, "unit": "kWh"}]
    energy = urdb.convert(rate(energyratestructure=[tiers])).document["energy"]
    assert energy["periods"][0]["blocks"] == [
        {"upto": "500", "price": "0.100000"}, {"price": "0.200000"}]  # fmt: skip
    assert energy["blocks"] == {"count": "all", "reset": "month", "size": "fixed"}
    daily = [{**tier, "unit": "kWh daily"} for tier in tiers]
    energy = urdb.convert(rate(energyratestructure=[daily])).document["energy"]
    assert energy["blocks"]["size"] == "per_day"


def test_tiers_by_power_are_left_out_and_told():
    tiers = [{"max": 200, "rate": 0.1, "unit": "kWh/kW"}, {"rate": 0.05}]
    made = urdb.convert(rate(energyratestructure=[tiers]))
    assert made.document["energy"]["periods"][0]["blocks"] == [{"price": "0.100000"}]
    assert findings(made) == {"/energyratestructure": "left_out"}


def test_a_demand_by_hours_splits_a_period_only_where_it_must():
    made = urdb.convert(
        rate(
            energyratestructure=[[{"rate": 0.1}], [{"rate": 0.3}]],
            energyweekdayschedule=grid(peak=range(12, 20)),
            energyweekendschedule=grid(),
            demandratestructure=[[{"rate": 0}], [{"rate": 8}]],
            demandweekdayschedule=grid(peak=range(16, 20)),
            demandweekendschedule=grid(),
            demandwindow=30,
        )
    )
    names = [period["name"] for period in made.document["energy"]["periods"]]
    assert names == ["p1", "p2", "p2-d2"]
    assert made.document["demand"] == [
        {"name": "demand-2", "price": "8.000000", "of": "highest", "window_minutes": 30,
         "periods": ["p2-d2"]},
    ]  # fmt: skip
    assert made.findings == []


def test_a_flat_demand_of_some_months_is_of_their_periods():
    made = urdb.convert(
        rate(
            flatdemandstructure=[[{"rate": 3}], [{"rate": 7, "adj": 1}], [{"rate": 3}]],
            flatdemandmonths=[0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
            demandwindow=15,
        )
    )
    prices = {one["name"]: (one["price"], one["periods"]) for one in made.document["demand"]}
    assert prices == {
        "demand-flat-1": ("3.000000", ["p1-f1"]),
        "demand-flat-2": ("8.000000", ["p1-f2"]),
    }
    assert [season["name"] for season in made.document["seasons"]] == ["sep-may", "jun-aug"]


def test_a_flat_demand_of_all_months_splits_nothing():
    made = urdb.convert(rate(flatdemandstructure=[[{"rate": 3}]], flatdemandmonths=[0] * 12))
    assert made.document["demand"] == [
        {"name": "demand-flat", "price": "3.000000", "of": "highest", "window_minutes": 15}
    ]
    assert len(made.document["energy"]["periods"]) == 1
    assert findings(made) == {"/demandwindow": "differs"}


def test_a_minimum_is_of_everything_before_it():
    made = urdb.convert(
        rate(fixedchargefirstmeter=0.3, fixedchargeunits="$/day", mincharge=10,
             flatdemandstructure=[[{"rate": 3}]], demandwindow=15)
    )  # fmt: skip
    assert made.document["fixed"] == [{"name": "service", "amount": "0.300000", "per": "day"}]
    assert made.document["minimum"] == {
        "amount": "10.000000",
        "on": ["energy", "service", "demand-flat"],
    }


def test_the_fields_of_older_versions_are_read():
    made = urdb.convert(rate(fixedmonthlycharge=7, minmonthlycharge=9))
    assert made.document["fixed"][0]["amount"] == "7.000000"
    assert made.document["minimum"]["amount"] == "9.000000"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"dgrules": "Net Metering"}, "/dgrules"),
        ({"demandratchetpercentage": [0] * 11 + [0.8]}, "/demandratchetpercentage"),
        ({"lookbackPercent": 0.5}, "/lookbackpercent"),
        ({"coincidentratestructure": [[{"rate": 2}]]}, "/coincidentratestructure"),
        ({"demandreactivepowercharge": 0.5}, "/demandreactivepowercharge"),
        ({"fixedchargeeaaddl": 2}, "/fixedchargeeaaddl"),
        ({"energyattrs": [{"Fuel": "see rider 7"}]}, "/energyattrs"),
        ({"something": 1}, "/something"),
        ({"mincharge": 5, "minchargeunits": "$/year"}, "/mincharge"),
        (
            {"flatdemandstructure": [[{"rate": 2}]], "flatdemandunit": "kVA"},
            "/flatdemandstructure/0",
        ),
        ({"flatdemandstructure": [[{"rate": 2, "max": 9}, {"rate": 3}]]}, "/flatdemandstructure/0"),
        (
            {"energyratestructure": [[{"rate": 0.1, "sell": 0.05}]]},
            "/energyratestructure/0/0/sell",
        ),
    ],
)
def test_what_is_lost_is_said(fields, pointer):
    assert findings(urdb.convert(rate(**fields))) == {pointer: "left_out"}


def test_nothing_is_said_of_fields_that_say_nothing():
    fields = {
        "dgrules": "",
        "demandratchetpercentage": [0] * 12,
        "energyattrs": [],
        "usenetmetering": False,
    }
    assert urdb.convert(rate(**fields)).findings == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"energyratestructure": []}, "/energyratestructure"),
        ({"energyratestructure": [[]]}, "/energyratestructure"),
        ({"energyratestructure": [[{"rate": -1}]]}, "/energyratestructure/0/0"),
        ({"energyratestructure": [[{"rate": "much"}]]}, "/energyratestructure/0/0/rate"),
        ({"energyratestructure": [[{"max": 5, "rate": 1}, {"max": 5, "rate": 2}, {"rate": 3}]]},
         "/energyratestructure/0/1/max"),
        ({"energyratestructure": [[{"rate": 1}], [{"rate": 2}]]}, "/energyweekdayschedule"),
        ({"energyweekdayschedule": [[0] * 24] * 11}, "/energyweekdayschedule"),
        ({"energyweekendschedule": [[3] * 24] * 12}, "/energyweekendschedule"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_plan_is_refused_at_its_place(fields, pointer):
    with pytest.raises(CannotImport) as refused:
        urdb.convert(rate(**fields))
    assert refused.value.pointer == pointer


@st.composite
def schedules(draw: st.DrawFn, periods: int) -> list[list[int]]:
    """Two kinds of days, a kind for each month, few changes a day."""
    number = st.integers(0, periods - 1)
    kinds = []
    for _ in range(2):
        begins, ends = sorted((draw(st.integers(0, 24)), draw(st.integers(0, 24))))
        outside, inside = draw(number), draw(number)
        kinds.append([inside if begins <= hour < ends else outside for hour in range(24)])
    return [kinds[kind] for kind in draw(st.tuples(*[st.integers(0, 1)] * 12))]


@given(schedules(3), schedules(3), schedules(2), st.tuples(*[st.integers(0, 1)] * 12))
def test_every_hour_of_the_year_keeps_its_prices(weekday, weekend, demand, flat):
    """The plan's bands give each hour of each month what URDB gave it, and once."""
    made = urdb.convert(
        rate(
            energyratestructure=[[{"rate": i + 1}] for i in range(3)],
            energyweekdayschedule=weekday,
            energyweekendschedule=weekend,
            demandratestructure=[[{"rate": 0}], [{"rate": 8}]],
            demandweekdayschedule=demand,
            demandweekendschedule=grid(),
            flatdemandstructure=[[{"rate": 2}], [{"rate": 5}]],
            flatdemandmonths=list(flat),
            demandwindow=15,
        )
    ).document
    demands = {one["name"]: one for one in made.get("demand", [])}
    prices = {p["name"]: p["blocks"][0]["price"] for p in made["energy"]["periods"]}
    for month in MONTH_NUMBERS:
        for day, energy, by_hour in (("wed", weekday, demand), ("sun", weekend, grid())):
            for hour in range(24):
                period = _period_at(made, month, day, hour)
                assert prices[period] == f"{energy[month][hour] + 1}.000000"
                charged = {
                    name for name, one in demands.items() if period in one.get("periods", [period])
                }
                expected = {"demand-2"} if by_hour[month][hour] else set()
                names = {n for n in demands if n.startswith("demand-flat")}
                flat_name = f"demand-flat-{flat[month] + 1}" if len(names) > 1 else "demand-flat"
                assert charged == expected | {flat_name}


def _period_at(document: dict[str, Any], month: int, weekday: str, hour: int) -> str:
    schedule = document["energy"].get("schedule")
    if schedule is None:
        return document["energy"]["periods"][0]["name"]
    seasons = {
        season["name"]
        for season in document.get("seasons", [])
        if _within(f"{month + 1:02d}-01", season)
        and _within(f"{month + 1:02d}-{LAST_DAYS[month]}", season)
    }
    found = [
        band["period"]
        for band in schedule
        if weekday in band["weekdays"]
        and band["from"] <= f"{hour:02d}:00" < band["to"]
        and (not document.get("seasons") or seasons & set(band["seasons"]))
    ]
    assert len(found) == 1
    return found[0]


def _within(day: str, season: dict[str, str]) -> bool:
    if season["from"] <= season["to"]:
        return season["from"] <= day <= season["to"]
    return day >= season["from"] or day <= season["to"]


def test_the_answer_of_the_api_a_list_and_one_rate_are_read():
    one = rate()
    assert urdb.rates_of({"items": [one, one]}) == [one, one]
    assert urdb.rates_of([one]) == [one]
    assert urdb.rates_of(one) == [one]
    with pytest.raises(CannotImport):
        urdb.rates_of("nothing")
