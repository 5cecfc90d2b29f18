"""What lines may be opened to: networks, ports and serial devices that whoever runs this names.

An operator gives addresses of meters; without a bound those could be any service that this machine
reaches.
"""

import posixpath
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

NEVER = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "fe80::/10", "ff00::/8",
        "fd00:ec2::/32",
    )
)  # fmt: skip
"""No meter is there, whatever is allowed: this network, links (where clouds serve their metadata),
groups.
"""
DEVICES = "/dev/"


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """`devices` are patterns of paths, in which * and ? stand for anything but a slash."""

    networks: tuple[Network, ...]
    ports: tuple[range, ...]
    devices: tuple[str, ...]

    def fault_of_address(self, ip: str | None, port: int) -> str | None:
        """Why nothing is opened there; `ip` is None while it is not known."""
        if not any(port in ports for ports in self.ports):
            return f"port {port} is none of those allowed"
        if ip is not None and not self._has(ip):
            return f"{ip} is in none of the networks allowed"
        return None

    def fault_of_device(self, path: str) -> str | None:
        """Why it is not opened."""
        is_plain = path.startswith(DEVICES) and posixpath.normpath(path) == path
        if not is_plain or "://" in path:
            return f"{path} is no path of a device"
        if not any(_fits(path, pattern) for pattern in self.devices):
            return f"{path} is none of the devices allowed"
        return None

    def _has(self, ip: str) -> bool:
        address = ip_address(ip)
        return any(address in network for network in self.networks) and not any(
            address in network for network in NEVER
        )


def _fits(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)


def networks_of(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8,fc00::/7`; ValueError says which is none."""
    return tuple(ip_network(each) for each in _each(text))


def ports_of(text: str) -> tuple[range, ...]:
    """`502,4001-4032`; ValueError says which is none."""
    return tuple(_ports(each) for each in _each(text))


def _ports(text: str) -> range:
    first, is_range, last = text.partition("-")
    try:
        ports = range(int(first), int(last if is_range else first) + 1)
    except ValueError:
        raise ValueError(f"{text!r} is no port or range of ports") from None
    if not ports or ports[0] < 1 or ports[-1] > 0xFFFF:
        raise ValueError(f"{text!r} is no port or range of ports")
    return ports


def devices_of(text: str) -> tuple[str, ...]:
    """`/dev/ttyUSB*,/dev/ttyS0`; ValueError says which is none."""
    patterns = tuple(_each(text))
    for pattern in patterns:
        if not pattern.startswith(DEVICES) or posixpath.normpath(pattern) != pattern:
            raise ValueError(f"{pattern!r} is no path below {DEVICES}")
    return patterns


def _each(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


ANYTHING = AllowedAddresses(
    networks_of("0.0.0.0/0,::/0"), ports_of("1-65535"), ("/dev/*", "/dev/*/*", "/dev/*/*/*")
)
"""For whoever runs a command on the machine itself."""
