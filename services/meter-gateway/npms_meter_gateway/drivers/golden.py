"""Whether the frames that prove a profile still mean what they should, in its own protocol."""

from collections.abc import Callable, Iterator

from npms_meter_gateway.domain.profile import GoldenFrame, Profile
from npms_meter_gateway.drivers.modbus import golden as modbus


def golden_faults(profile: Profile) -> list[str]:
    """A line per frame and fault; empty is good."""
    frame_faults = _frame_faults(profile)
    return [
        f"golden.{number}: {fault}"
        for number, frame in enumerate(profile.golden)
        for fault in frame_faults(profile, frame)
    ]


def _frame_faults(profile: Profile) -> Callable[[Profile, GoldenFrame], Iterator[str]]:
    if profile.driver == "dlt645":
        from npms_meter_gateway.drivers.dlt645 import golden as dlt645

        return dlt645.frame_faults
    return modbus.frame_faults
