"""The code in a message that verifies an address, as who gets the message reads it."""

import re

_CODE = re.compile(r"(?m)(?:^|: )(\d{6})(?: |\r?$)")
"""At the beginning of a text, behind who speaks, or on a line of its own."""


def code_in(text: str) -> str | None:
    """The six digits; None in a message of another kind."""
    found = _CODE.search(text)
    return found[1] if found else None
