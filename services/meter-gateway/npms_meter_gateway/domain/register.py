"""Registers that people and systems write as decimal text."""

import re
from decimal import Decimal

_KWH = re.compile(r"[0-9]{1,16}(\.[0-9]{1,9})?")
MAX_WH = 2**63 - 1


def register_wh_of(kwh: str) -> int:
    """The whole Wh of a register in kWh, cut down as a polled one is; ValueError says why not."""
    if _KWH.fullmatch(kwh) is None:
        raise ValueError(
            f"{kwh[:40]!r} is no register in kWh: digits, and after a point up to nine"
        )
    register_wh = int(Decimal(kwh) * 1000)
    if register_wh > MAX_WH:
        raise ValueError(f"{kwh} kWh is more than any register counts")
    return register_wh
