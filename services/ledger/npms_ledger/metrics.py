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
CUTS_HELD = Counter("npms_ledger_cuts_held", "Cuts that the guardrail held back")
RECONNECTED = Histogram(
    "npms_ledger_reconnect_seconds",
    "From a payment that ends a cut to the relay read back closed, in business time",
    buckets=(10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400),
)
DECISIONS_DUE = Counter("npms_ledger_decisions_due", "Decisions that time alone asked for")
