"""The tables of payments; migrations/ says the same in SQL, with its constraints."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()


def _time(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


account = Table(
    "account",
    metadata,
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger),
    Column("currency", Text),
    _time("opened_at"),
    _time("closed_at"),
    Column("vend_min_micro", BigInteger),
    Column("vend_max_micro", BigInteger),
    Column("max_balance_micro", BigInteger),
    _time("limits_at"),
    Column("balance_micro", BigInteger),
    _time("balance_at"),
)

payment = Table(
    "payment",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("account_id", BigInteger),
    Column("amount_micro", BigInteger),
    Column("currency", Text),
    Column("source", Text),
    Column("issuer", Text),
    Column("reference", Text),
    Column("state", Text),
    Column("failure_code", Text),
    _time("created_at"),
    Column("created_by", Text),
    _time("settled_at"),
    _time("reversed_at"),
    Column("reversal_id", Uuid),
    Column("reversal_reason", Text),
    _time("credited_at"),
    Column("to_debt_micro", BigInteger),
    Column("to_emergency_micro", BigInteger),
    Column("to_balance_micro", BigInteger),
    Column("balance_after_micro", BigInteger),
)

checkout = Table(
    "checkout",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("provider", Text),
    Column("provider_ref", Text),
    Column("checkout_url", Text),
    Column("queries", Integer),
    _time("query_at"),
    _time("expires_at"),
)

arrival = Table(
    "arrival",
    metadata,
    Column("source", Text, primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("amount_micro", BigInteger),
    Column("currency", Text),
    _time("arrived_at"),
    _time("noted_at"),
)

provider_event = Table(
    "provider_event",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("fact", Text),
    Column("order_id", Uuid),
    Column("txn_id", Text),
    Column("of_txn_id", Text),
    Column("amount_micro", BigInteger),
    Column("currency", Text),
    Column("outcome", Text),
    Column("reason", Text),
    Column("body", LargeBinary),
    _time("received_at"),
)

suspense_item = Table(
    "suspense_item",
    metadata,
    Column("suspense_id", Uuid, primary_key=True),
    Column("amount_micro", BigInteger),
    Column("currency", Text),
    Column("source", Text),
    Column("issuer", Text),
    Column("reference", Text),
    Column("account_given", Text),
    Column("order_id", Uuid),
    Column("reason", Text),
    Column("state", Text),
    _time("received_at"),
    Column("received_by", Text),
    Column("payment_id", Uuid),
    _time("allocated_at"),
    Column("allocated_by", Text),
    Column("allocated_reason", Text),
    _time("returned_at"),
    Column("returned_by", Text),
    Column("returned_reason", Text),
    Column("returned_reference", Text),
)

review = Table(
    "review",
    metadata,
    Column("review_id", Uuid, primary_key=True),
    Column("provider", Text),
    Column("event_id", Text),
    Column("order_id", Uuid),
    Column("reason", Text),
    Column("detail", Text),
    _time("raised_at"),
)

voucher_batch = Table(
    "voucher_batch",
    metadata,
    Column("batch_id", Uuid, primary_key=True),
    Column("batch_number", BigInteger, autoincrement=True),
    Column("value_micro", BigInteger),
    Column("currency", Text),
    Column("voucher_count", Integer),
    _time("expires_at"),
    Column("state", Text),
    _time("created_at"),
    Column("created_by", Text),
    _time("activated_at"),
    Column("activated_by", Text),
    _time("printed_at"),
    Column("printed_by", Text),
    _time("rejected_at"),
    Column("rejected_by", Text),
    Column("rejected_reason", Text),
)

voucher = Table(
    "voucher",
    metadata,
    Column("lookup_key", LargeBinary, primary_key=True),
    Column("serial", Text),
    Column("batch_id", Uuid),
    Column("state", Text),
    Column("payment_id", Uuid),
    _time("redeemed_at"),
)

voucher_guard = Table(
    "voucher_guard",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("failed_at", ARRAY(DateTime(timezone=True))),
)
