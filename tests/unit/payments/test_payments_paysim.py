"""The simulated provider by itself."""

import pytest

from npms_payments.domain.webhooks import Secret
from npms_shared.ids import new_id
from npms_tools.provider.checkouts import Book, Checkout, NotPossible
from npms_tools.provider.cli import make_secret
from npms_tools.provider.deliveries import message_of
from npms_tools.provider.server import short_amount


def opened(book: Book) -> Checkout:
    return book.open(new_id(), amount="100.000000", currency="KES", callback_url="http://m/")


def test_an_order_is_opened_once() -> None:
    book = Book()
    first = opened(book)
    again = book.open(first.merchant_order, amount="1", currency="KES", callback_url="http://m/")
    assert again is first
    assert book.find(first.reference) is book.find_order(first.merchant_order) is first
    assert book.find("co_none") is None


def test_its_truth_is_what_was_paid_and_not_given_back() -> None:
    book = Book()
    paid, refunded, failed = opened(book), opened(book), opened(book)
    book.take(paid)
    book.take(refunded)
    money_in = refunded.transaction_id
    book.give_back(refunded)
    book.move(failed, "failed")
    assert [c["reference"] for c in book.settled()] == [paid.reference]
    assert refunded.refunded_transaction_id == money_in != refunded.transaction_id
    with pytest.raises(NotPossible):
        book.take(paid)
    with pytest.raises(NotPossible):
        book.give_back(failed)


def test_messages_name_what_happened() -> None:
    book = Book()
    checkout = opened(book)
    book.take(checkout)
    assert b'"checkout.paid"' in message_of(checkout).body
    assert message_of(checkout).webhook_id != message_of(checkout).webhook_id


def test_its_secrets_are_of_the_scheme() -> None:
    assert len(Secret.parse(make_secret()).key) == 32
    assert make_secret() != make_secret()


def test_amounts_are_short_on_its_page() -> None:
    assert [short_amount(a) for a in ("100.500000", "1", "0.000001")] == [
        "100.50",
        "1.00",
        "0.000001",
    ]
