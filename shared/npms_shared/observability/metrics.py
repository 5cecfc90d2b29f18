"""Metrics that every service has; labels come from closed sets, never from ids."""

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

MESSAGES_PUBLISHED = Counter(
    "npms_messages_published", "Messages confirmed by the broker", ["type"]
)
MESSAGES_CONSUMED = Counter(
    "npms_messages_consumed", "Messages settled, by what became of them", ["queue", "outcome"]
)
MESSAGE_HANDLING = Histogram(
    "npms_message_handling_seconds", "One transaction's work", ["queue"], buckets=LATENCY_BUCKETS
)
BATCH_ITEMS = Histogram(
    "npms_batch_items",
    "Items applied in one transaction of a partition",
    ["queue"],
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000),
)
PARTITION_TAKEOVERS = Counter(
    "npms_partition_takeovers", "Partitions claimed under a new epoch", ["stage"]
)
PARTITION_FENCED = Counter(
    "npms_partition_fenced", "Transactions refused since another owns the partition", ["stage"]
)
HTTP_DURATION = Histogram(
    "npms_http_request_duration_seconds",
    "REST requests by route template",
    ["route", "method", "status"],
    buckets=LATENCY_BUCKETS,
)
HTTP_FAILURES = Counter(
    "npms_http_unhandled_errors", "Requests that failed on our side, by route template", ["route"]
)
MESSAGES_PARKED = Gauge("npms_messages_parked", "Messages parked and not yet settled")
OUTBOX_UNPUBLISHED = Gauge("npms_outbox_unpublished", "Messages that wait in the outbox")
OUTBOX_UNROUTABLE = Gauge(
    "npms_outbox_unroutable", "Messages set aside since the broker has no queue for them"
)
DATABASE_WAITS = Counter(
    "npms_database_waits", "Times work was done again later, for want of database or schema",
    ["reason"],
)  # fmt: skip
INVARIANT_VIOLATIONS = Gauge(
    "npms_invariant_violations", "Rows that break a rule, at its last run", ["rule"]
)
INVARIANT_LAST_RUN = Gauge(
    "npms_invariant_last_run_timestamp_seconds", "When the rules were last checked"
)
