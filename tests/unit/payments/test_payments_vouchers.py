import secrets
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_payments.domain.errors import ExpiryRefused, VoucherMistyped
from npms_payments.domain.vouchers import (
    PIN_DIGITS,
    check_expiry,
    lookup_key,
    make_pin,
    read_pin,
    serial_of,
)

PEPPER = b"p" * 32
pins = st.integers(0, 10**17 - 1).map(lambda n: make_pin(lambda _: n))


@given(pins)
def test_a_made_pin_reads_back(pin: str) -> None:
    assert len(pin) == PIN_DIGITS
    assert read_pin(pin) == pin


@given(pins)
def test_spaces_and_hyphens_do_not_matter(pin: str) -> None:
    assert read_pin(f" {pin[:6]}-{pin[6:12]} {pin[12:]}\t") == pin


@given(pins, st.integers(0, PIN_DIGITS - 1), st.integers(1, 9))
def test_every_single_wrong_digit_is_found(pin: str, place: int, shift: int) -> None:
    wrong = str((int(pin[place]) + shift) % 10)
    with pytest.raises(VoucherMistyped):
        read_pin(pin[:place] + wrong + pin[place + 1 :])


@given(pins, st.integers(0, PIN_DIGITS - 2))
def test_every_swap_of_neighbours_is_found(pin: str, place: int) -> None:
    swapped = pin[:place] + pin[place + 1] + pin[place] + pin[place + 2 :]
    if swapped == pin:
        return
    with pytest.raises(VoucherMistyped):
        read_pin(swapped)


@given(st.text(max_size=40).filter(lambda t: sum(c.isdigit() for c in t) != PIN_DIGITS))
def test_anything_of_another_length_is_refused(text: str) -> None:
    with pytest.raises(VoucherMistyped):
        read_pin(text)


def test_digits_of_other_scripts_are_refused() -> None:
    with pytest.raises(VoucherMistyped):
        read_pin("٠" * PIN_DIGITS)


def test_the_generator_is_asked_for_seventeen_digits() -> None:
    asked: list[int] = []

    def below(bound: int) -> int:
        asked.append(bound)
        return 7

    assert make_pin(below).startswith("0" * 16 + "7")
    assert asked == [10**17]
    assert 10**17 > 2**53


def test_pins_do_not_repeat() -> None:
    assert len({make_pin(secrets.randbelow) for _ in range(2_000)}) == 2_000


@given(pins, pins)
def test_the_lookup_key_tells_pins_apart_and_depends_on_the_pepper(one: str, other: str) -> None:
    assert (lookup_key(one, PEPPER) == lookup_key(other, PEPPER)) == (one == other)
    assert lookup_key(one, PEPPER) != lookup_key(one, b"q" * 32)
    assert one.encode() not in lookup_key(one, PEPPER)


def test_serial() -> None:
    assert serial_of(7, 12) == "7-000012"


def test_a_batch_must_outlive_its_making() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    check_expiry(now + timedelta(days=1), now=now)
    with pytest.raises(ExpiryRefused):
        check_expiry(now, now=now)
