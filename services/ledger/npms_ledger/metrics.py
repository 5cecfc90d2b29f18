"""What the ledger measures besides what every service does."""

from prometheus_client import Counter, Histogram

from npms_shared.observability.metrics import LATENCY_BUCKETS

READING_TO_BALANCE = Histogram(
    "npms_reading_to_balance_seconds",
    "From the newest reading of a batch to its posted charge, in real time",
    buckets=LATENCY_BUCKETS,
)
CHARGES_POSTED = Counter("npms_ledger_charges_posted", "Charges posted to balances")
CHARGES_PARKED = Counter("npms_ledger_charges_parked", "Charges that fit no account", ["code"])
DECISIONS_DUE = Counter("npms_ledger_decisions_due", "Decisions that time alone asked for")
