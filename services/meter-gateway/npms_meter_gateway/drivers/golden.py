"""Whether the frames that prove a profile still mean what they should, in its own protocol."""

from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.drivers.modbus import golden as modbus


def golden_faults(profile: Profile) -> list[str]:
    """A line per frame and fault; empty is good."""
    if profile.driver == "dlt645":
        from npms_meter_gateway.drivers.dlt645 import golden as dlt645

        return dlt645.golden_faults(profile)
    return modbus.golden_faults(profile)
