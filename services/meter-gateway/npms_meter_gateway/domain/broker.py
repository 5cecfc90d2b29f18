"""Where an MQTT broker is."""

from dataclasses import dataclass
from urllib.parse import urlsplit

PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    host: str
    port: int
    user: str | None
    tls: bool


def broker_of(url: str) -> Broker:
    """What mqtt[s]://user@host:port says; ValueError for anything else, a password in it too."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError("expected mqtt://user@host:port or mqtts://user@host:port")
    if parts.password is not None:
        raise ValueError("give the password in a variable of its own")
    return Broker(
        parts.hostname, port or PORTS[parts.scheme], parts.username, parts.scheme == "mqtts"
    )
