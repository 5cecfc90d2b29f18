"""The PIN of a voucher: 17 random digits (56 bits) and a Damm check digit.

The check digit finds every single wrong digit and every swap of neighbours before any look-up.
A PIN is known in clear to whoever prints it and whoever types it; here it lives only as a keyed
hash, so that a copy of the database redeems nothing.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

from stdnum import damm

from npms_payments.domain.errors import ExpiryRefused, VoucherMistyped

RANDOM_DIGITS = 17
PIN_DIGITS = RANDOM_DIGITS + 1
_SPACERS = str.maketrans("", "", " -\u00a0\t")


def make_pin(random_below: Callable[[int], int]) -> str:
    """A new PIN; `random_below(n)` gives an unpredictable integer in [0, n)."""
    digits = str(random_below(10**RANDOM_DIGITS)).zfill(RANDOM_DIGITS)
    return digits + str(damm.calc_check_digit(digits))


def read_pin(typed: str) -> str:
    """The digits of a PIN as typed, spaces and hyphens dropped; raises VoucherMistyped."""
    digits = typed.translate(_SPACERS)
    if len(digits) != PIN_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise VoucherMistyped
    if not damm.is_valid(digits):
        raise VoucherMistyped
    return digits


def lookup_key(pin: str, pepper: bytes) -> bytes:
    """What is stored of a PIN: HMAC-SHA256 under a pepper that the database never sees."""
    return hmac.digest(pepper, pin.encode(), hashlib.sha256)


def serial_of(batch_number: int, index: int) -> str:
    """What is printed beside the PIN and may be told to anyone, e.g. `7-000012`."""
    return f"{batch_number}-{index:06d}"


def check_expiry(expires_at: datetime, *, now: datetime) -> None:
    if expires_at <= now:
        raise ExpiryRefused
