"""Green Button feeds: read back by another's reader, and held against the schema's rules."""

import io
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from greenbutton_objects.parse import parse_feed
from hypothesis import given
from hypothesis import strategies as st

from npms_tariff.api.espi_time import NO_RULE, local_time
from npms_tariff.api.green_button import ATOM, ESPI, Feed
from npms_tariff.handlers.report_usage import UsageItem, UsageReport

BERLIN = ZoneInfo("Europe/Berlin")
WRITTEN = datetime(2026, 11, 24, 9, tzinfo=UTC)
FIRST = datetime(2026, 10, 24, 20, tzinfo=UTC)
"""The evening before clocks go back in Berlin."""

ORDER = {
    # As the sequences of espi.xsd have them.
    "LocalTimeParameters": ["dstEndRule", "dstOffset", "dstStartRule", "tzOffset"],
    "ReadingType": [
        "accumulationBehaviour", "commodity", "consumptionTier", "currency", "dataQualifier",
        "defaultQuality", "flowDirection", "intervalLength", "kind", "phase",
        "powerOfTenMultiplier", "timeAttribute", "tou", "uom",
    ],
    "IntervalBlock": ["interval", "IntervalReading"],
    "IntervalReading": ["cost", "ReadingQuality", "timePeriod", "value"],
    "interval": ["duration", "start"],
    "timePeriod": ["duration", "start"],
}  # fmt: skip


def item(hour: int, energy_wh: int, amount_micro: int, **changes: object) -> UsageItem:
    begins = (FIRST + timedelta(hours=hour)).astimezone(BERLIN)
    given_ = {
        "begins": begins,
        "ends": (FIRST + timedelta(hours=hour + 1)).astimezone(BERLIN),
        "commodity": "electricity",
        "currency": "EUR",
        "energy_wh": energy_wh,
        "amount_micro": amount_micro,
        "open": False,
    }
    return UsageItem(**(given_ | changes))


def feed(*items: UsageItem) -> bytes:
    report = UsageReport(7, "Europe/Berlin", "hour", items)
    return Feed(report, href="/v1/accounts/7/usage.xml", written_at=WRITTEN).as_bytes()


def parsed(made: bytes) -> ET.Element:
    return ET.fromstring(made)  # noqa: S314 - of our own making


hours = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 10**6), st.integers(0, 10**9)),
    min_size=1,
    max_size=30,
    unique_by=lambda hour: hour[0],
).map(sorted)


@given(hours)
def test_another_reader_finds_every_hour_its_energy_cost_and_quality(used):
    made = feed(*(item(*hour) for hour in used[:-1]), item(*used[-1], open=True))
    [point] = parse_feed(io.BytesIO(made))
    assert point.serviceCategory.name == "electricity"
    [meter] = point.meterReadings
    assert (meter.readingType.uom.name, meter.readingType.currency.name) == ("wattHours", "eur")
    assert meter.readingType.intervalLength == 3600
    found = {r.timePeriod.start: r for r in meter.intervalReadings}
    assert len(found) == used[-1][0] - used[0][0] + 1, "no hour is missing, none there twice"
    known = {FIRST + timedelta(hours=hour): (wh, micro) for hour, wh, micro in used}
    for start, reading in found.items():
        assert reading.timePeriod.duration == timedelta(hours=1)
        assert reading.value == known.get(start, (0, 0))[0]
        [quality] = reading.readingQualities
        last = start == FIRST + timedelta(hours=used[-1][0])
        assert quality.quality.name == ("raw" if last else "validated")
    cost = sum(round(reading.cost * 100_000) for reading in found.values())
    assert cost == sum(micro for _, _, micro in used) // 10, "costs add up to a hundred-thousandth"


@given(hours)
def test_elements_stand_in_the_order_of_the_schema_in_their_namespaces(used):
    root = parsed(feed(*(item(*hour) for hour in used)))
    assert root.tag == f"{{{ATOM}}}feed"
    assert all(e.tag.startswith((f"{{{ATOM}}}", f"{{{ESPI}}}")) for e in root.iter())
    for name, order in ORDER.items():
        for element in root.iter(f"{{{ESPI}}}{name}"):
            found = [child.tag.removeprefix(f"{{{ESPI}}}") for child in element]
            assert found == sorted(found, key=order.index)
            assert set(found) <= set(order)
    ids = [e.text for e in root.iter(f"{{{ATOM}}}id")]
    assert len(ids) == len(set(ids))
    for entry in root.iter(f"{{{ATOM}}}entry"):
        assert {"id", "link", "title", "content", "published", "updated"} <= {
            child.tag.removeprefix(f"{{{ATOM}}}") for child in entry
        }
        assert len(list(entry.find(f"{{{ATOM}}}content"))) == 1


def test_blocks_are_local_days_and_a_day_may_have_25_hours():
    made = parsed(feed(*(item(hour, 1, 10) for hour in range(40))))
    durations = [
        int(block.find(f"{{{ESPI}}}interval/{{{ESPI}}}duration").text) // 3600
        for block in made.iter(f"{{{ESPI}}}IntervalBlock")
    ]
    assert durations == [2, 25, 13]


def test_the_same_hours_make_the_same_feed_and_commodities_points_of_their_own():
    used = [item(0, 5, 7), item(0, 3, 9, commodity="water")]
    assert feed(*used) == feed(*used)
    kinds = [e.text for e in parsed(feed(*used)).iter(f"{{{ESPI}}}kind")]
    assert kinds == ["0", "12", "2", "58"]


def test_a_cost_in_a_currency_without_a_number_is_left_out():
    made = parsed(feed(item(0, 5, 7, currency="XTS")))
    assert not list(made.iter(f"{{{ESPI}}}cost"))
    assert not list(made.iter(f"{{{ESPI}}}currency"))


def test_an_account_without_use_has_an_empty_feed():
    assert parse_feed(io.BytesIO(feed())) == []


@pytest.mark.parametrize(
    ("zone", "offset_h", "dst_h", "start", "end"),
    [
        ("America/Los_Angeles", -8, 1, "360E2000", "B40E2000"),
        ("Europe/Berlin", 1, 1, "3E0E2000", "AE0E3000"),
        ("Africa/Nairobi", 3, 0, NO_RULE, NO_RULE),
        ("Australia/Adelaide", 9.5, 1, "A40E2000", "440E3000"),
    ],
)
def test_time_zones_are_packed_as_the_standard_has_it(zone, offset_h, dst_h, start, end):
    kept = local_time(ZoneInfo(zone), 2026)
    assert (kept.offset_s, kept.dst_offset_s) == (offset_h * 3600, dst_h * 3600)
    assert (kept.dst_start_rule, kept.dst_end_rule) == (start, end)
