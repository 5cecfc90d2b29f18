import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_notifier.domain.contacts import (
    Channel,
    Contact,
    contact,
    contact_or_fault,
    distinct,
    known_language,
    spoken_language,
)
from npms_notifier.domain.errors import AddressRefused, LanguageUnknown


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("wanjiku@example.org", "wanjiku@example.org"),
        ("  Wanjiku.K+power@Example.ORG ", "Wanjiku.K+power@example.org"),
    ],
)
def test_an_email_address_is_kept_with_its_domain_in_lower_case(given_text: str, kept: str) -> None:
    assert contact(Channel.EMAIL, given_text) == Contact(Channel.EMAIL, kept)


@pytest.mark.parametrize(
    "text",
    ["", "nobody", "a@b", "a@@b.org", ".a@b.org", "a..b@c.org", "a b@c.org", "a@-c.org",
     "a@c.org\nBcc: x@y.org", "é@c.org", "a" * 65 + "@c.org", "a@" + "c" * 250 + ".org"],
)  # fmt: skip
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        contact(Channel.EMAIL, text)
    assert refused.value.code == "not_an_email_address"
    assert refused.value.channel == "email"


@pytest.mark.parametrize("text", ["+254712345678", "+254 712 345 678", "+254 (0) 712-345678"])
def test_a_phone_number_is_kept_as_e164(text: str) -> None:
    assert contact(Channel.SMS, text).address == "+254712345678"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0712345678", "not_an_e164_number"),
        ("", "not_an_e164_number"),
        ("wanjiku@example.org", "not_an_e164_number"),
        ("+25471", "impossible_number"),
        ("+2547123456789012", "impossible_number"),
    ],
)
def test_what_is_no_phone_number_is_refused(text: str, code: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        contact(Channel.SMS, text)
    assert refused.value.code == code


@given(st.sampled_from(Channel), st.text(max_size=60))
def test_any_text_is_a_contact_or_is_marked(channel: Channel, text: str) -> None:
    found = contact_or_fault(channel, text)
    if found.fault is None:
        assert contact(channel, found.address) == found, "a canonical form stays as it is"
    else:
        assert found.address == text


def test_each_channel_and_address_is_kept_once_in_order() -> None:
    first, second = Contact(Channel.SMS, "+254712345678"), Contact(Channel.EMAIL, "a@b.org")
    assert distinct([first, second, first]) == [first, second]


def test_languages() -> None:
    assert known_language("sw") == "sw"
    with pytest.raises(LanguageUnknown) as refused:
        known_language("fr")
    assert refused.value.known == ("en", "sw")


@pytest.mark.parametrize(
    ("asked", "spoken"), [("sw", "sw"), ("sw-KE", "sw"), ("SW_TZ", "sw"), ("fr", "en"), ("", "en")]
)
def test_where_there_are_no_messages_in_a_language_the_first_is_spoken(
    asked: str, spoken: str
) -> None:
    assert spoken_language(asked) == spoken
