"""What the gateway measures besides what every service does."""

from prometheus_client import Counter, Gauge, Histogram

READINGS = Counter("npms_gateway_readings", "Readings by what became of them", ["verdict"])
POLLS = Counter("npms_gateway_polls", "Polls of meters by outcome", ["outcome"])
POLL_LATENESS = Histogram(
    "npms_gateway_poll_lateness_seconds",
    "How long after its time a poll began, by group of points",
    ["group"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300),
)
RELAY_ATTEMPTS = Counter(
    "npms_gateway_relay_attempts", "Attempts to bring a relay to its desired state", ["outcome"]
)
MQTT_MESSAGES = Counter(
    "npms_gateway_mqtt_messages", "Messages of the MQTT broker by what became of them", ["outcome"]
)
MQTT_CONNECTED = Gauge("npms_gateway_mqtt_connected", "Whether this process listens to the broker")
COMMANDS = Counter(
    "npms_gateway_supply_commands",
    "Commands to meters by how they ended",
    ["what", "state", "life"],
)
RECONNECTED = Histogram(
    "npms_gateway_reconnect_seconds",
    "From the decision to switch on to the relay read back closed, in business seconds",
    buckets=(1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400),
)
METERS_POLLED = Gauge("npms_gateway_meters_polled", "Meters this process reads")
METERS = Gauge("npms_gateway_meters", "Open installations by the state of their meters", ["state"])
HELD_READINGS = Gauge(
    "npms_gateway_held_readings", "Readings that wait for a person, by why", ["reason"]
)
OPEN_ALARMS = Gauge("npms_gateway_open_alarms", "Alarms that are open, by kind", ["kind"])
