"""How many parts an SMS costs: 160 GSM-7 septets or 70 UCS-2 units, 153 and 67 once it is split."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_PLAIN = {
    ord(typographic): plain
    for typographic, plain in {
        "\u00a0": " ", "\u202f": " ", "\u2007": " ", "\u2009": " ", "‘": "'", "’": "'", "“": '"',
        "”": '"', "–": "-", "—": "-", "\u2212": "-", "…": "...", "\u200b": "",
    }.items()
}  # fmt: skip
_CUT = "..."


@dataclass(frozen=True, slots=True)
class Size:
    """`units` are septets in GSM-7, 16-bit units in UCS-2."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int


def measure(text: str) -> Size:
    """What the text costs to send."""
    if all(character in _BASIC or character in _EXTENDED for character in text):
        widths = [2 if character in _EXTENDED else 1 for character in text]
        return Size("gsm7", sum(widths), _parts(widths, whole=160, part=153))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Size("ucs2", sum(widths), _parts(widths, whole=70, part=67))


def _parts(widths: list[int], *, whole: int, part: int) -> int:
    """Parts needed where no character may lie across two of them."""
    if sum(widths) <= whole:
        return 1
    parts, room = 1, part
    for width in widths:
        if width > room:
            parts, room = parts + 1, part
        room -= width
    return parts


def plain(text: str) -> str:
    """The text with typographic characters replaced by those GSM-7 has, white space in one."""
    composed = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return " ".join(composed.split())


def fit(text: str, *, segments: int) -> str:
    """The text, or as much of its beginning as fits, with dots where it was cut."""
    if measure(text).segments <= segments:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle].rstrip() + _CUT).segments <= segments:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + _CUT
