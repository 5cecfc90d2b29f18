"""What is said about an amount follows from it, and parts and days add up to the whole."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from npms_ledger.domain.explaining import (
    Paid,
    parts_of,
    price_that_follows,
    supply_sentence,
)
from npms_ledger.domain.monthly import Booked, add_lines, by_day, summed

PRICE = st.integers(0, 200_000_000)
ENERGY = st.integers(0, 5_000_000)


@given(price=PRICE, before_wh=ENERGY, energy_wh=ENERGY)
def test_a_price_that_follows_is_the_one_that_was_charged(price, before_wh, energy_wh):
    """Amounts are differences of costs that were each rounded down once."""
    amount = (before_wh + energy_wh) * price // 1000 - before_wh * price // 1000
    found = price_that_follows(energy_wh, amount)
    assert found in {price, None}
    if energy_wh > 2_000:
        assert found == price


@given(price=PRICE, parts=st.lists(st.tuples(ENERGY, ENERGY), min_size=1, max_size=4))
def test_months_each_rounded_leave_the_price_or_no_word_of_it(price, parts):
    amounts = [(a + b) * price // 1000 - a * price // 1000 for a, b in parts]
    energy_wh = sum(b for _, b in parts)
    found = price_that_follows(energy_wh, sum(amounts), roundings=len(parts))
    assert found in {price, None}


AMOUNT = st.integers(1, 10**9)
STEP = st.sampled_from(
    [("debt", "arrears", 1), ("balance", "accumulated", None), ("emergency", "", None)]
)


@given(
    charges=st.lists(AMOUNT, max_size=3),
    steps=st.lists(st.tuples(STEP, AMOUNT), max_size=4),
    rest=AMOUNT,
)
def test_parts_sum_to_what_was_paid(charges, steps, rest):
    postings = []
    for amount in charges:
        postings.append(Paid("balance", "top_up", amount, amount, None, "", 0))
        postings.append(Paid("balance", "vend_charge", -amount, 0, None, "capacity", 1))
    for (bucket, label, item), amount in steps:
        postings.append(Paid(bucket, "top_up", amount, 0, item, label, 0))
    postings.append(Paid("balance", "top_up", rest, rest, None, "", 0))
    postings.append(Paid("emergency", "emergency_lent", -5, 0, None, "", 0))
    parts = parts_of(postings)
    paid = sum(charges) + sum(amount for _, amount in steps) + rest
    assert sum(part.amount_micro for part in parts) == paid
    assert [part.what for part in parts].count("vend_charges") == len(charges)
    assert parts[-1].what == "balance"


NAIROBI = ZoneInfo("Africa/Nairobi")
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
POSTING = st.tuples(
    st.integers(-5, 20_000),
    st.sampled_from(["charge", "top_up", "correction", "money_fix"]),
    st.integers(-(10**9), 10**9),
)


@given(opening=st.integers(-(10**9), 10**9), moves=st.lists(POSTING, max_size=40))
def test_days_hold_every_posting_once_and_end_at_its_balance(opening, moves):
    """Also where a posting is a little older than the one before it."""
    balance, at, booked = opening, BEGAN, []
    for seq, (seconds, kind, amount) in enumerate(moves, start=1):
        balance, at = balance + amount, at + timedelta(seconds=seconds)
        lines = [("energy", "peak", 1, 7, -amount)] if kind == "charge" else []
        paid = Paid("balance", kind, amount, balance, None, "", 0)
        booked.append(Booked(seq, at, paid, 7 if lines else 0, lines))
    days = by_day(booked, opening_micro=opening, zone=NAIROBI)
    assert [day.day for day in days] == sorted({day.day for day in days})
    told = opening
    for day in days:
        told -= day.charged_micro
        told += sum(top_up.amount_micro for top_up in day.top_ups)
        told += sum(one.paid.amount_micro for one in day.others)
        assert day.balance_micro == told
        assert sum(amount for _, amount in day.lines.values()) == day.charged_micro
    assert told == balance
    charges = [one for one in booked if one.paid.kind == "charge"]
    assert sum(wh for wh, _ in summed(days).values()) == 7 * len(charges)


def test_lines_of_one_name_are_summed():
    sums = {}
    add_lines(sums, [("energy", "peak", 1, 5, 7), ("energy", "peak", 1, 2, 1)])
    add_lines(sums, [("tax:vat", "", 0, 0, 3)])
    assert sums == {("energy", "peak", 1): (7, 8), ("tax:vat", "", 0): (0, 3)}


def test_a_sentence_names_hold_and_person():
    said = supply_sentence(
        "off", "exhausted", decided_by="scheduler", subject=None, hold_ended="friendly_hours"
    )
    assert "the credit had run out and friendly hours ended" in said
    kept = supply_sentence("on", "kept_on", decided_by="person", subject="amina", hold_ended=None)
    assert "a person (amina)" in kept
