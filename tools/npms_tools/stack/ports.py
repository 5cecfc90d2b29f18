"""Free ports on loopback, below the range that outgoing connections take theirs from.

A client that keeps trying a port of that range on loopback can end up connected to
itself while the server is down.
"""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST = 15_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def highest() -> int:
    """The last port below the range of outgoing connections."""
    try:
        return max(int(_RANGE.read_text().split()[0]) - 1, LOWEST + 1_000)
    except (OSError, ValueError, IndexError):
        return 32_000


def free_port(taken: set[int] | frozenset[int] = frozenset()) -> int:
    """A free port that is not in `taken`."""
    top = highest()
    for _ in range(1_000):
        port = random.randint(LOWEST, top)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {top}")
