"""What the notifier measures besides what every service does."""

from prometheus_client import Counter

CONTACT_CODES = Counter(
    "npms_contact_codes",
    "Codes that verify addresses: sent, confirmed, refused",
    ["channel", "outcome"],
)
NOTIFICATIONS = Counter(
    "npms_notifications", "Attempts to deliver a message, by how they ended", ["channel", "outcome"]
)
