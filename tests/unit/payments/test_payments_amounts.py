import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_payments.domain.amounts import check_amount, check_currency
from npms_payments.domain.errors import AmountRefused, WrongCurrency


@given(st.integers(1, 10**9))
def test_amounts_within_the_limit_pass(amount_micro: int) -> None:
    check_amount(amount_micro, limit_micro=10**9)


@pytest.mark.parametrize(
    ("amount_micro", "code"),
    [(0, "amount_zero"), (-1, "amount_negative"), (1_001, "amount_above_limit")],
)
def test_each_refusal_has_its_code(amount_micro: int, code: str) -> None:
    with pytest.raises(AmountRefused) as refused:
        check_amount(amount_micro, limit_micro=1_000)
    assert refused.value.code == code
    assert refused.value.amount_micro == amount_micro


def test_currency() -> None:
    check_currency("KES", expected="KES")
    with pytest.raises(WrongCurrency):
        check_currency("ZAR", expected="KES")
