"""Two people for what moves money: the rule itself."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_shared.approval import (
    Approval,
    ReviewedChanged,
    SecondPersonRequired,
    checksum,
    has_room,
)
from npms_shared.money import AmountsByCurrency

PEOPLE = st.sampled_from(["amina", "baraka", "chebet", "daudi"])
FACTS = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=5
)
AMOUNTS = st.lists(st.integers(-10_000_000, 10_000_000), max_size=30)


@given(by=PEOPLE, hands=st.lists(st.none() | PEOPLE, max_size=4), facts=FACTS)
def test_who_had_any_hand_in_it_never_approves_and_everybody_else_may(by, hands, facts):
    approval = Approval(by, checksum(facts))
    if by in hands:
        with pytest.raises(SecondPersonRequired):
            approval.check(hands=hands, reviewed=facts)
    else:
        approval.check(hands=hands, reviewed=facts)


@given(seen=FACTS, stands=FACTS)
def test_only_what_was_seen_is_approved(seen, stands):
    approval = Approval("amina", checksum(seen))
    if seen == stands:
        approval.check(hands=["baraka"], reviewed=stands)
    else:
        with pytest.raises(ReviewedChanged):
            approval.check(hands=["baraka"], reviewed=stands)


@given(facts=FACTS)
def test_the_order_of_facts_does_not_matter(facts):
    assert checksum(facts) == checksum(dict(reversed(facts.items())))


def test_times_ids_and_nested_facts_have_a_checksum():
    at = datetime(2026, 3, 4, tzinfo=UTC)
    facts = {"at": at, "id": UUID(int=7), "document": {"b": [1], "a": None}}
    assert checksum(facts) == checksum(
        {"document": {"a": None, "b": [1]}, "id": UUID(int=7), "at": at}
    )
    assert checksum(facts) != checksum({**facts, "document": {"a": None, "b": [2]}})


@given(amounts=AMOUNTS, limit=st.integers(0, 20_000_000))
def test_no_sequence_of_amounts_moves_more_than_the_limit(amounts, limit):
    limits, moved = AmountsByCurrency({"*": limit}), 0
    for amount in amounts:
        if has_room(limits, amount, "KES", moved_micro=moved):
            moved += abs(amount)
        else:
            assert moved + abs(amount) > limit
    assert moved <= limit
