"""Two people for what moves money: the rule itself."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_shared.approval import (
    AloneLimits,
    Approval,
    ReviewedChanged,
    SecondPersonRequired,
    checksum,
)

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
    limits, moved = AloneLimits({"*": limit}), 0
    for amount in amounts:
        if limits.have_room(amount, "KES", moved_micro=moved):
            moved += abs(amount)
        else:
            assert moved + abs(amount) > limit
    assert moved <= limit


def test_each_currency_has_its_limit_and_the_rest_the_star():
    limits = AloneLimits.parse({"KES": "500", "*": "5"})
    assert [limits.of(code) for code in ("KES", "ZAR")] == [500_000_000, 5_000_000]
    assert AloneLimits.parse({"KES": "500"}).of("ZAR") == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"kes": "5"}, "no ISO"), ({"KES": "-5"}, "negative"), ({"KES": "five"}, "not_an_amount")],
)
def test_what_is_no_limit_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        AloneLimits.parse(wrong)
