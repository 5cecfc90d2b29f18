import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_shared.money import (
    MAX_MICRO,
    AmountError,
    AmountsByCurrency,
    format_amount,
    parse_amount,
)


@given(st.integers(-MAX_MICRO, MAX_MICRO))
def test_what_is_formatted_parses_back(amount_micro: int) -> None:
    assert parse_amount(format_amount(amount_micro)) == amount_micro


@pytest.mark.parametrize(
    ("text", "micro"),
    [("0", 0), ("12.34", 12_340_000), ("-0.000001", -1), ("007", 7_000_000), ("1.5", 1_500_000)],
)
def test_decimal_text_is_exact(text: str, micro: int) -> None:
    assert parse_amount(text) == micro


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.2345678", "too_many_decimals"),
        ("1e3", "not_an_amount"),
        ("", "not_an_amount"),
        ("NaN", "not_an_amount"),
        ("1,5", "not_an_amount"),
        ("1.", "not_an_amount"),
        (" 1", "not_an_amount"),
        ("1000000001", "amount_too_large"),
    ],
)
def test_what_is_no_amount_is_refused_with_a_code(text: str, code: str) -> None:
    with pytest.raises(AmountError) as fault:
        parse_amount(text)
    assert fault.value.code == code


def test_each_currency_has_its_amount_and_the_rest_the_star() -> None:
    limits = AmountsByCurrency.parse({"KES": "500", "*": "5"})
    assert [limits.of(code) for code in ("KES", "ZAR")] == [500_000_000, 5_000_000]
    assert AmountsByCurrency.parse({"KES": "500"}).of("ZAR") == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"kes": "5"}, "no ISO"), ({"KES": "-5"}, "negative"), ({"KES": "five"}, "not_an_amount")],
)
def test_what_is_no_amount_of_a_currency_is_refused(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AmountsByCurrency.parse(wrong)
