import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_notifier.domain.codes import (
    DAY,
    MASK,
    MOST_A_DAY,
    MOST_A_DAY_AND_ACCOUNT,
    MOST_ATTEMPTS,
    RESEND_AFTER,
    MadeCode,
    OpenCode,
    digest_of,
    new_code,
    wait_for_another,
)
from npms_notifier.domain.contacts import LANGUAGES, Channel, Contact
from npms_notifier.domain.notices import contact_code
from npms_notifier.templates.rendering import Reader, Renderer
from npms_shared.ids import new_id
from npms_tools.sinks.codes import code_in

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PEPPER = b"a pepper"
ADDRESSES = ("+254712345678", "+254733000111")


def sent(code: str, *, attempts: int = 0) -> OpenCode:
    code_id = new_id()
    return OpenCode(
        code_id,
        Channel.SMS,
        ADDRESSES[0],
        digest_of(code_id, code, PEPPER),
        NOW + timedelta(minutes=15),
        attempts,
    )


def test_a_code_has_six_digits_and_is_seldom_the_same() -> None:
    codes = [new_code() for _ in range(200)]
    assert all(re.fullmatch("[0-9]{6}", code) for code in codes)
    assert len(set(codes)) > 190


def test_only_the_code_that_was_sent_matches_under_its_pepper() -> None:
    code = sent("012345")
    assert code.matches("012345", PEPPER)
    assert not code.matches("012346", PEPPER)
    assert not code.matches("012345", b"another pepper")
    assert code.digest != sent("012345").digest, "the same code is not seen to be the same"


@pytest.mark.parametrize(
    ("attempts", "later_s", "may"),
    [(0, 0, True), (MOST_ATTEMPTS - 1, 0, True), (MOST_ATTEMPTS, 0, False), (0, 899, True),
     (0, 900, False)],
)  # fmt: skip
def test_a_code_lives_by_time_and_attempts(attempts: int, later_s: int, *, may: bool) -> None:
    code = sent("012345", attempts=attempts)
    assert code.may_be_tried(NOW + timedelta(seconds=later_s)) is may


def test_a_code_that_was_not_sent_yet_is_nobodys() -> None:
    code = OpenCode(new_id(), Channel.SMS, ADDRESSES[0], None, None, 0)
    assert not code.may_be_tried(NOW)
    assert not code.matches("012345", PEPPER)


@given(st.lists(st.tuples(st.sampled_from(ADDRESSES), st.integers(0, 300)), max_size=200))
def test_however_often_it_is_asked_for_codes_are_bounded(asked: list[tuple[str, int]]) -> None:
    made: list[MadeCode] = []
    at = NOW
    for address, pause_s in asked:
        at += timedelta(seconds=pause_s)
        if not wait_for_another(made, Channel.SMS, address, at=at):
            made.append(MadeCode(Channel.SMS, address, at))
    assert len(made) <= MOST_A_DAY_AND_ACCOUNT
    for address in ADDRESSES:
        moments = [code.made_at for code in made if code.address == address]
        assert len(moments) <= MOST_A_DAY
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        assert all(pause >= RESEND_AFTER for pause in pauses)


def test_after_the_wait_there_is_another_one() -> None:
    made = [MadeCode(Channel.SMS, ADDRESSES[0], NOW + n * RESEND_AFTER) for n in range(MOST_A_DAY)]
    at = NOW + MOST_A_DAY * RESEND_AFTER
    wait = wait_for_another(made, Channel.SMS, ADDRESSES[0], at=at)
    assert at + wait == NOW + DAY
    assert not wait_for_another(made[1:], Channel.SMS, ADDRESSES[0], at=at + wait)


@pytest.mark.parametrize(
    ("contact", "masked"),
    [
        (Contact(Channel.EMAIL, "wanjiku@example.org"), "w***@example.org"),
        (Contact(Channel.SMS, "+254712345678"), "+254***78"),
        (Contact(Channel.EMAIL, "wanjiku", "not_an_email_address"), "***"),
    ],
)
def test_a_masked_address_cannot_be_written_to(contact: Contact, masked: str) -> None:
    assert contact.masked == masked


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", Channel)
def test_the_code_is_found_in_its_message_in_every_language(
    channel: Channel, language: str
) -> None:
    reader = Reader(123456, "Customer 654321", language, NOW.tzinfo)  # type: ignore[arg-type]
    rendered = Renderer(brand="NPMS").render(contact_code(code=MASK), channel, reader)
    assert rendered.body.count(MASK) == 1
    assert code_in(rendered.body.replace(MASK, "098765")) == "098765"
    assert MASK not in rendered.subject
