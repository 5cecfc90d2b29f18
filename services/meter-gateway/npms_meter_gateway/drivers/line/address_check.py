"""Where a line is really opened: looked up, held against what is allowed, and nobody else's.

What is checked is what is opened: the address that a name had at that moment, not the name.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from socket import SOCK_STREAM

from npms_meter_gateway.domain.allowed_addresses import ANYTHING, DEVICES, AllowedAddresses
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.line.errors import NotAllowed
from npms_shared.addresses import canonical_host

Claim = Callable[[Gateway, str], Awaitable[str | None]]
"""Take the address for this gateway; the name of the one that has it, where one has."""


async def _nobody(_gateway: Gateway, _ip: str) -> str | None:
    return None


class AddressCheck:
    """Shared by all lines of a process."""

    def __init__(self, allowed: AllowedAddresses = ANYTHING, claim: Claim = _nobody) -> None:
        self._allowed, self._claim = allowed, claim

    async def addresses(self, gateway: Gateway) -> AsyncIterator[str]:
        """The IP addresses to try, one after the other. Raises NotAllowed, OSError."""
        found = await _ips_of(gateway)
        faults = [self._allowed.fault_of_address(ip, gateway.port) for ip in found]
        allowed = [ip for ip, fault in zip(found, faults, strict=True) if fault is None]
        if not allowed:
            raise NotAllowed(f"{gateway.name}: {faults[0]}")
        for ip in allowed:
            other = await self._claim(gateway, ip)
            if other is not None:
                raise NotAllowed(f"{gateway.name} is {ip}, whose line is that of {other}")
            yield ip

    def device(self, path: str) -> str:
        """The device to open, links followed; it may block. Raises NotAllowed, OSError."""
        fault = self._allowed.fault_of_device(path)
        real = os.path.realpath(path)
        if fault is None and not real.startswith(DEVICES):
            fault = f"{path} leads to {real}"
        if fault is None and not stat.S_ISCHR(Path(real).stat().st_mode):
            fault = f"{path} is no serial device"
        if fault is not None:
            raise NotAllowed(fault)
        return real


async def _ips_of(gateway: Gateway) -> list[str]:
    host = canonical_host(gateway.host)
    try:
        return [str(ip_address(host))]
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, gateway.port, type=SOCK_STREAM)
        return list(dict.fromkeys(canonical_host(str(entry[4][0])) for entry in found))
