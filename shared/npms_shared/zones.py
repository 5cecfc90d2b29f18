"""Time zones that an account may be in."""

from functools import cache
from zoneinfo import available_timezones

REGIONS = frozenset(
    {
        *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic"),
        *("Australia", "Europe", "Indian", "Pacific"),
    }
)


def is_zone(name: str) -> bool:
    """Whether it is `UTC` or a place in a region of the IANA data base (`Africa/Nairobi`).

    Not `Factory`, `localtime` or `posixrules`, which mean what a machine is set to, nor fixed
    offsets and old names as `Etc/GMT+3`, `EST` or `US/Pacific`.
    """
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    places = {name for name in available_timezones() if name.partition("/")[0] in REGIONS}
    return frozenset({"UTC", *places})
