"""Text as people read it: one spelling of what looks the same, and nothing that cannot be seen."""

import re
import unicodedata

_CONTROL = r"\x00-\x08\x0e-\x1f\x7f-\x9f"
_UNSEEN = r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
_MORE_UNSEEN = r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
_NO_CHARACTERS = r"\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_UNREADABLE = re.compile(f"[{_CONTROL}{_UNSEEN}{_MORE_UNSEEN}{_NO_CHARACTERS}]")
_BREAKS = re.compile(r"[\t\n\v\f\r]")
"""Tab and line breaks; a text of several lines may have them."""
# U+200C and U+200D stay out of _UNSEEN: Persian, Hindi and others are spelled with them. Between
# letters of other scripts they are unseen all the same.
_JOINERS = re.compile("[\u200c\u200d]")
_JOINING = re.compile("[\u0600-\u07ff\u0860-\u0dff\u1000-\u109f\u1780-\u17ff\u1800-\u18af]")


def is_readable(text: str, *, lines: bool = False) -> bool:
    """Whether a person sees all of it: no control, zero-width or direction-changing characters.

    With `lines` it may have line breaks and tabs.
    """
    if _UNREADABLE.search(text) or (_BREAKS.search(text) and not lines):
        return False
    return all(_joins(text, found.start()) for found in _JOINERS.finditer(text))


def _joins(text: str, at: int) -> bool:
    return at > 0 and _JOINING.match(text[at - 1]) is not None


def normalized(text: str) -> str:
    """In Unicode's composed form (NFC), so that what looks alike is the same."""
    return unicodedata.normalize("NFC", text)
