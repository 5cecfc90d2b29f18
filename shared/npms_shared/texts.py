"""Text as people read it: one spelling of what looks the same, and nothing that cannot be seen."""

import re
import unicodedata

_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_DIRECTIONS = r"\u202a-\u202e\u2066-\u2069"
_NO_CHARACTERS = r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_BROKEN = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_NO_CHARACTERS}]")
_FORMATS = r"\xad\u034f\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff"
_FILLERS = r"\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
_UNSEEN = re.compile(rf"[\t\n\r{_FORMATS}{_FILLERS}]")
# Persian, Hindi and others are spelled with these two; after other letters they are unseen.
_JOINERS = re.compile("(?<![\u0600-\u07ff\u0860-\u0dff\u1000-\u109f\u1780-\u18af])[\u200c\u200d]")
_SELECTORS = re.compile("[\ufe00-\ufe0f]")


def is_text(text: str) -> bool:
    """Whether it is text at all: no control character but tab and line breaks, nothing that turns
    the direction of what follows, no half characters. What is none, no column or log should hold.
    """
    return _BROKEN.search(text) is None


def is_readable_line(text: str) -> bool:
    """Whether it is one line of which a person sees every character."""
    return is_text(text) and not (_UNSEEN.search(text) or _JOINERS.search(text))


def normalized(text: str) -> str:
    """In Unicode's composed form (NFC), without the choice of a glyph."""
    return unicodedata.normalize("NFC", _SELECTORS.sub("", text))


def one_line(text: str) -> str:
    """`normalized`, with one plain space wherever there are any spaces, and none around it."""
    return " ".join(normalized(text).split())
