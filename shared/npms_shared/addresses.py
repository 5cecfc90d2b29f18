"""Network addresses as people spell them, brought to one spelling.

`localhost`, `127.1`, `0`, `2130706433` and `::1` all reach `127.0.0.1`: who compares addresses
compares what this makes of them. Nothing is looked up: two names of one address stay two.
"""

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address

LOOPBACK = "127.0.0.1"
LONGEST_NAME = 253
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_SAME_MACHINE = {"localhost", "0.0.0.0", "::", "::1"}  # noqa: S104 - compared, not listened on


def canonical_host(spelling: str) -> str:
    """The one spelling of a host: an IP address as it is usually written, or a name in lower case.

    IPv4 addresses may have one to four parts, also octal and hexadecimal, as every resolver takes
    them; those mapped into IPv6 are IPv4. What reaches this machine by convention is 127.0.0.1.
    ValueError for what is no host.
    """
    host = unicodedata.normalize("NFKC", spelling).strip().lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    found = _ipv6(host) if ":" in host else _name_or_ipv4(host, spelling)
    is_same = found in _SAME_MACHINE or found.endswith(".localhost")
    return LOOPBACK if is_same else found


def _ipv6(host: str) -> str:
    if "%" in host:
        raise ValueError(f"{host!r} names an interface of one machine")
    try:
        address = IPv6Address(host)
    except AddressValueError:
        raise ValueError(f"{host!r} is no host") from None
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else address.compressed


def _name_or_ipv4(host: str, spelling: str) -> str:
    try:
        name = host.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise ValueError(f"{spelling!r} is no host") from None
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(labels, spelling)
    if len(name) > LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{spelling!r} is no host")
    return name


def _ipv4(parts: list[str], spelling: str) -> str:
    """The last part stands for all bytes that the others leave."""
    try:
        *firsts, last = [_number(part) for part in parts]
        if len(parts) > 4 or any(first > 0xFF for first in firsts):
            raise ValueError
        if last >= 256 ** (4 - len(firsts)):
            raise ValueError
    except ValueError:
        raise ValueError(f"{spelling!r} is no IPv4 address") from None
    high = int.from_bytes(bytes(firsts).ljust(4, b"\0"), "big")
    return str(IPv4Address(high | last))


def _number(part: str) -> int:
    if not _NUMBER.fullmatch(part) or len(part) > 20:
        raise ValueError
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") and part != "0" else int(part)
