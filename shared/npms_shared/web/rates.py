"""How often one caller and one address may ask for what costs money, or can be guessed."""

import math
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Any

from fastapi import Depends, Request
from starlette.types import Scope

from npms_shared.auth.tokens import Principal
from npms_shared.web.problems import Problem

MOST_KEYS = 50_000
"""Who is forgotten beyond them was quiet for the longest time."""


class Rate:
    """So many a minute for each key, as many at once; of one process."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, key: str) -> int:
        """Takes one: 0, or whole seconds until there is one again."""
        now = time.monotonic()
        left, at = self._left.pop(key, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
        return 0 if left >= 1 else math.ceil((1 - left) * 60 / self._per_minute)


def address_of(scope: Scope) -> str:
    """Whose network it is: the address, of IPv6 its /64, which is one subscriber's."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def too_often(wait_s: int) -> Problem:
    return Problem(
        429,
        "too_many_requests",
        "Asked too often; try again later.",
        headers={"Retry-After": str(wait_s)},
    )


async def _take(request: Request) -> None:
    """For `dependencies=`; other services are not counted, their callers were."""
    caller: Any = request.state.caller
    if isinstance(caller, Principal) and "service" in caller.roles:
        return
    limits = request.app.state.rates
    waits = [limits.addresses.wait_s(address_of(request.scope))]
    if isinstance(caller, Principal):
        waits.append(limits.callers.wait_s(caller.subject))
    if any(waits):
        raise too_often(max(waits))


COSTLY = Depends(_take)
"""A route that costs money, sends messages, works meters or can be guessed at."""


class Rates:
    """The counts of one application."""

    def __init__(self, *, callers: int, addresses: int, refusals: int) -> None:
        self.callers, self.addresses = Rate(callers), Rate(addresses)
        self.refusals = Rate(refusals)
