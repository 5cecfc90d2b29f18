"""An account's hours as Green Button data: an Atom feed of ESPI resources (NAESB REQ.21)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from npms_tariff.api import espi_codes
from npms_tariff.api.espi_codes import COMMODITIES, CURRENCIES, ELECTRICITY
from npms_tariff.api.espi_time import local_time
from npms_tariff.handlers.report_usage import UsageItem, UsageReport

ATOM = "http://www.w3.org/2005/Atom"
ESPI = "http://naesb.org/espi"
HOUR = timedelta(hours=1)
MICRO_A_COST = 10
"""A cost counts hundred-thousandths of the currency unit."""

ET.register_namespace("", ATOM)
ET.register_namespace("espi", ESPI)


class Feed:
    """One usage point for each commodity; ids are the same whenever the same is written."""

    def __init__(self, report: UsageReport, *, href: str, written_at: datetime) -> None:
        self._report, self._href = report, href
        self._written = written_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._year = (report.items[0].begins if report.items else written_at).year
        self._root = ET.Element(f"{{{ATOM}}}feed")
        self._head(self._root, f"urn:uuid:{self._id('feed')}", "Green Button Usage Feed")
        self._link(self._root, "self", href)
        self._add_local_time()
        of_commodity = sorted(report.items, key=lambda item: (item.commodity, item.begins))
        for commodity, items in groupby(of_commodity, key=lambda item: item.commodity):
            self._add_usage_point(commodity, list(items))

    def as_bytes(self) -> bytes:
        """UTF-8, with an XML declaration."""
        written: bytes = ET.tostring(self._root, encoding="utf-8", xml_declaration=True)
        return written

    @property
    def _time_href(self) -> str:
        return f"{self._href}/LocalTimeParameters/1"

    def _add_local_time(self) -> None:
        content = self._entry("Local time", self._time_href)
        kept = local_time(ZoneInfo(self._report.time_zone), self._year)
        of_zone = _child(content, "LocalTimeParameters")
        _child(of_zone, "dstEndRule", kept.dst_end_rule)
        _child(of_zone, "dstOffset", kept.dst_offset_s)
        _child(of_zone, "dstStartRule", kept.dst_start_rule)
        _child(of_zone, "tzOffset", kept.offset_s)

    def _add_usage_point(self, commodity: str, items: Sequence[UsageItem]) -> None:
        point = f"{self._href}/UsagePoint/{commodity}"
        reading, kind = f"{point}/MeterReading/1", f"{self._href}/ReadingType/{commodity}"
        blocks = f"{reading}/IntervalBlock"
        content = self._entry(
            commodity,
            point,
            f"{point}/MeterReading",
            self._time_href,
            up=f"{self._href}/UsagePoint",
        )
        category = _child(_child(content, "UsagePoint"), "ServiceCategory")
        _child(category, "kind", COMMODITIES.get(commodity, ELECTRICITY).service)
        content = self._entry("By hour", reading, blocks, kind, up=f"{point}/MeterReading")
        _child(content, "MeterReading")
        self._add_reading_type(kind, commodity, items[0].currency)
        self._add_blocks(blocks, items)

    def _add_reading_type(self, href: str, commodity: str, currency: str) -> None:
        codes = COMMODITIES.get(commodity, ELECTRICITY)
        kind = _child(self._entry(f"{commodity}, an hour", href), "ReadingType")
        _child(kind, "accumulationBehaviour", espi_codes.ACCUMULATION_DELTA)
        _child(kind, "commodity", codes.commodity)
        if currency in CURRENCIES:
            _child(kind, "currency", CURRENCIES[currency])
        _child(kind, "dataQualifier", espi_codes.DATA_QUALIFIER_NORMAL)
        _child(kind, "defaultQuality", espi_codes.QUALITY_VALIDATED)
        _child(kind, "flowDirection", espi_codes.FLOW_FORWARD)
        _child(kind, "intervalLength", int(HOUR.total_seconds()))
        _child(kind, "kind", codes.kind)
        _child(kind, "powerOfTenMultiplier", codes.power_of_ten)
        _child(kind, "uom", codes.uom)

    def _add_blocks(self, blocks: str, items: Sequence[UsageItem]) -> None:
        """A block for each local day. Costs are cut to a feed's unit of the running total, so
        that they add up."""
        spent_micro = 0
        by_day = groupby(_without_gaps(items), key=lambda item: item.begins.date())
        for number, (day, of_day) in enumerate(by_day, start=1):
            hours = list(of_day)
            content = self._entry(day.isoformat(), f"{blocks}/{number}", up=blocks)
            block = _child(content, "IntervalBlock")
            _interval(block, "interval", hours[0].begins, hours[-1].ends)
            for hour in hours:
                before, spent_micro = spent_micro, spent_micro + hour.amount_micro
                cost = spent_micro // MICRO_A_COST - before // MICRO_A_COST
                _add_reading(block, hour, cost if hour.currency in CURRENCIES else None)

    def _entry(self, title: str, href: str, *related: str, up: str | None = None) -> ET.Element:
        """An entry of the feed; returns its content, to be filled."""
        entry = ET.SubElement(self._root, f"{{{ATOM}}}entry")
        self._head(entry, f"urn:uuid:{self._id(href)}", title)
        self._link(entry, "self", href)
        if up is not None:
            self._link(entry, "up", up)
        for other in related:
            self._link(entry, "related", other)
        ET.SubElement(entry, f"{{{ATOM}}}published").text = self._written
        return ET.SubElement(entry, f"{{{ATOM}}}content", {"type": "application/xml"})

    def _head(self, parent: ET.Element, identity: str, title: str) -> None:
        for name, text in (("id", identity), ("title", title), ("updated", self._written)):
            ET.SubElement(parent, f"{{{ATOM}}}{name}").text = text

    def _link(self, parent: ET.Element, relation: str, href: str) -> None:
        ET.SubElement(parent, f"{{{ATOM}}}link", {"rel": relation, "href": href})

    def _id(self, what: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"npms:account:{self._report.account_id}:{what}"))


def _child(parent: ET.Element, name: str, value: object = None) -> ET.Element:
    made = ET.SubElement(parent, f"{{{ESPI}}}{name}")
    if value is not None:
        made.text = str(value)
    return made


def _interval(parent: ET.Element, name: str, begins: datetime, ends: datetime) -> None:
    period = _child(parent, name)
    start_s = int(begins.timestamp())
    _child(period, "duration", int(ends.timestamp()) - start_s)
    _child(period, "start", start_s)


def _add_reading(block: ET.Element, hour: UsageItem, cost: int | None) -> None:
    reading = _child(block, "IntervalReading")
    if cost is not None:
        _child(reading, "cost", cost)
    quality = espi_codes.QUALITY_RAW if hour.open else espi_codes.QUALITY_VALIDATED
    _child(_child(reading, "ReadingQuality"), "quality", quality)
    _interval(reading, "timePeriod", hour.begins, hour.ends)
    _child(reading, "value", hour.energy_wh)


def _without_gaps(items: Sequence[UsageItem]) -> Iterator[UsageItem]:
    """Hours between the first and the last in which nothing was used are zero, not unknown."""
    for item, following in pairwise(items):
        yield item
        begins, zone = item.ends.astimezone(UTC), item.begins.tzinfo
        while begins + HOUR <= following.begins.astimezone(UTC):
            yield UsageItem(
                begins=begins.astimezone(zone),
                ends=(begins + HOUR).astimezone(zone),
                commodity=item.commodity,
                currency=item.currency,
                energy_wh=0,
                amount_micro=0,
                open=False,
            )
            begins += HOUR
    yield from items[-1:]
