"""What the notifier measures besides what every service does."""

from prometheus_client import Counter

NOTIFICATIONS = Counter(
    "npms_notifications", "Attempts to deliver a message, by how they ended", ["channel", "outcome"]
)
