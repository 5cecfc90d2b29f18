"""A month's statement on paper: A4, one font that has the letters of most alphabets."""

import io
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

from npms_ledger.api.month_schemas import shown_amount
from npms_ledger.domain.explaining import LineKey
from npms_ledger.domain.monthly import Booked, Day, TopUp, summed
from npms_ledger.handlers.monthly_statement import Month
from npms_shared.money import format_amount

FONT = "DejaVuSans"
MARGIN = 18 * mm
PADDING = 6
"""What the frame of a page adds at each side."""
WIDTH = A4[0] - 2 * MARGIN
GREY = colors.HexColor("#5f6b76")
LINE = colors.HexColor("#c9d1d8")
SHADE = colors.HexColor("#eef2f5")
DAY_WIDTHS = (82 * mm, 26 * mm, 33 * mm, 33 * mm)
SUMMARY_WIDTHS = (82 * mm, 46 * mm, 46 * mm)


@cache
def _register_font() -> None:
    path = files("npms_ledger").joinpath("fonts", f"{FONT}.ttf")
    pdfmetrics.registerFont(TTFont(FONT, io.BytesIO(path.read_bytes())))


def to_pdf(month: Month) -> bytes:
    """The same statement is the same bytes."""
    _register_font()
    file = io.BytesIO()
    title = f"Statement {month.name}, account {month.account.account_id}"
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN - PADDING,
        rightMargin=MARGIN - PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=title,
        author="NPMS",
        lang="en",
        invariant=True,
    )
    feet = _feet(title)
    document.build(list(_story(month)), onFirstPage=feet, onLaterPages=feet)
    return file.getvalue()


def _feet(title: str) -> Any:
    def draw(canvas: Any, document: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, 10 * mm, title)
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"page {document.page}")

    return draw


def _style(size: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle("s", fontName=FONT, fontSize=size, leading=size * 1.35, **more)


def _words(text: str, size: float = 8.5, **more: Any) -> Paragraph:
    return Paragraph(escape(text), _style(size, **more))


def _story(month: Month) -> Iterator[Any]:
    yield _words("Statement of account", 17)
    yield Spacer(1, 3 * mm)
    yield _head(month)
    yield Spacer(1, 3 * mm)
    yield _words(_small_print(month), 7, textColor=GREY)
    yield from _section("Summary", _buckets(month))
    yield from _section("What was charged", _charged(month))
    yield from _section("Day by day", _days(month))


def _section(title: str, table: Table) -> Iterator[Any]:
    yield CondPageBreak(30 * mm)
    yield Spacer(1, 6 * mm)
    yield _words(title, 11.5, spaceAfter=4)
    yield table


def _small_print(month: Month) -> str:
    still = "" if month.over else " The month is not over: more may be posted."
    return (
        f"Amounts in {month.account.currency}, rounded for reading; sums are made of the exact "
        "amounts, which the statement's CSV and JSON forms hold. Days are those of posting, in "
        f"{month.account.time_zone}.{still}"
    )


def _head(month: Month) -> Table:
    account = month.account
    last = (month.ends - timedelta(days=1)).date()
    period = f"{month.begins.date().isoformat()} to {last.isoformat()}"
    rows = [
        ("Customer", account.customer_name),
        ("Account", str(account.account_id)),
        ("Period", f"{period}, {account.time_zone}"),
    ]
    cells = [[_words(name, textColor=GREY), _words(value)] for name, value in rows]
    return Table(cells, colWidths=(28 * mm, WIDTH - 28 * mm), style=_plain())


def _plain() -> list[Any]:
    return [
        ("FONT", (0, 0), (-1, -1), FONT, 8.5),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
    ]


def _grid(shaded: Sequence[int]) -> list[Any]:
    return [
        *_plain(),
        ("LEFTPADDING", (0, 0), (0, -1), 4),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("TEXTCOLOR", (0, 0), (-1, 0), GREY),
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, GREY),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, LINE),
        *(("BACKGROUND", (0, row), (-1, row), SHADE) for row in shaded),
    ]


def _buckets(month: Month) -> Table:
    currency = month.account.currency
    rows: list[Any] = [("", f"{currency}", "exact")]
    shaded = []
    for bucket in month.buckets():
        shaded.append(len(rows))
        rows.append((f"{_plainly(bucket)}, opening", *_both(month.opening[bucket], currency)))
        rows += [
            (f"    {_plainly(row.kind)} ({row.entries})", *_both(row.amount_micro, currency))
            for row in month.sums
            if row.bucket == bucket
        ]
        shaded.append(len(rows))
        rows.append((f"{_plainly(bucket)}, closing", *_both(month.closing[bucket], currency)))
    return Table(rows, colWidths=SUMMARY_WIDTHS, repeatRows=1, style=_grid(shaded))


def _both(amount_micro: int, currency: str) -> tuple[str, str]:
    return shown_amount(amount_micro, currency), format_amount(amount_micro)


def _charged(month: Month) -> Table:
    currency = month.account.currency
    rows: list[Any] = [("", "kWh", currency)]
    lines = summed(month.days)
    for key, (energy_wh, amount_micro) in lines.items():
        energy = _kwh(energy_wh) if energy_wh else ""
        rows.append((_line_words(key), energy, shown_amount(amount_micro, currency)))
    energy_wh = sum(day.energy_wh for day in month.days)
    charged_micro = sum(day.charged_micro for day in month.days)
    rows.append(("all charges", _kwh(energy_wh), shown_amount(charged_micro, currency)))
    return Table(rows, colWidths=SUMMARY_WIDTHS, repeatRows=1, style=_grid([len(rows) - 1]))


def _days(month: Month) -> Table:
    currency = month.account.currency
    rows: list[Any] = [("", "kWh", currency, "balance")]
    shaded = []
    for day in month.days:
        shaded.append(len(rows))
        rows += _of_day(day, month)
    return Table(rows, colWidths=DAY_WIDTHS, repeatRows=1, style=_grid(shaded))


def _of_day(day: Day, month: Month) -> Iterator[Sequence[Any]]:
    currency, zone = month.account.currency, month.begins.tzinfo
    balance = shown_amount(day.balance_micro, currency)
    yield f"{day.day:%a} {day.day.isoformat()}", _kwh(day.energy_wh), "", balance
    for key, (energy_wh, amount_micro) in summed([day]).items():
        energy = _kwh(energy_wh) if energy_wh else ""
        yield f"    {_line_words(key)}", energy, shown_amount(-amount_micro, currency), ""
    for top_up in day.top_ups:
        yield from _top_up(top_up, f"{top_up.at.astimezone(zone):%H:%M}", currency)
    for booked in day.others:
        yield _other(booked, f"{booked.at.astimezone(zone):%H:%M}", currency)


def _top_up(top_up: TopUp, at: str, currency: str) -> Iterator[Sequence[Any]]:
    name = f"{at} top-up {top_up.source} {top_up.reference}"
    yield _cell(name), "", shown_amount(top_up.amount_micro, currency), ""
    for part in top_up.parts:
        label = f" {part.label}" if part.label else ""
        amount = shown_amount(part.amount_micro, currency)
        yield _cell(f"of it to {_plainly(part.what)}{label}", 14), "", amount, ""


def _other(booked: Booked, at: str, currency: str) -> Sequence[Any]:
    about = " ".join(part for part in (booked.paid.label, booked.reason) if part)
    name = f"{at} {_plainly(booked.paid.kind)}, {_plainly(booked.paid.bucket)}"
    cell = _cell(f"{name}: {about}" if about else name)
    return cell, "", shown_amount(booked.paid.amount_micro, currency), ""


def _cell(text: str, indent: float = 9) -> Paragraph:
    """Words that people chose may be long: they wrap."""
    return _words(text, leftIndent=indent)


def _line_words(key: LineKey) -> str:
    component, period, block = key
    words = component.replace(":", " ").replace("_", " ")
    if period:
        words += f", {period}"
    return f"{words}, block {block}" if block else words


def _plainly(name: str) -> str:
    return name.replace("_", " ")


def _kwh(energy_wh: int) -> str:
    sign = "-" if energy_wh < 0 else ""
    return f"{sign}{abs(energy_wh) // 1000}.{abs(energy_wh) % 1000:03d}"
