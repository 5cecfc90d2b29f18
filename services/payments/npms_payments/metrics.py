"""What payments measures besides what every service does."""

from prometheus_client import Counter, Histogram

from npms_shared.observability.metrics import LATENCY_BUCKETS

PAYMENTS = Counter("npms_payments", "Payments that reached a state", ["source", "state"])
WEBHOOKS = Counter(
    "npms_payment_webhooks", "Webhooks received, by what became of them", ["provider", "outcome"]
)
VOUCHERS = Counter("npms_voucher_attempts", "Attempts to redeem a voucher", ["outcome"])
SUSPENSE = Counter("npms_suspense", "Money set aside", ["reason"])
PARTNER_SOLD = Counter(
    "npms_partner_sold_units",
    "Settled sales of a partner, in currency units",
    ["partner", "currency"],
)
PARTNER_REFUSED = Counter(
    "npms_partner_refused", "Sales refused by the limit of a partner's day", ["partner"]
)
CREDIT_DELAY = Histogram(
    "npms_payment_to_credit_seconds",
    "From a settled payment to the word of its credit",
    buckets=LATENCY_BUCKETS,
)
