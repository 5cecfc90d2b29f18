"""Which bus and which driver a meter's profile asks for. A new protocol takes its place here."""

from dataclasses import dataclass, field

from npms_meter_gateway.domain.addressing import line_address
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.profile import DriverName, Profile
from npms_meter_gateway.drivers.dlt645.access import Access
from npms_meter_gateway.drivers.driver import Driver
from npms_meter_gateway.drivers.line.bus import Bus, LineOptions
from npms_meter_gateway.drivers.line.framing import Framing
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.line import framing_of


@dataclass(frozen=True, slots=True)
class Drivers:
    """What the protocols need besides profiles. What one protocol imports waits for its first use:
    the dlt645 package takes a second.
    """

    dlt645: Access = field(default_factory=Access)

    def bus(
        self,
        gateway: Gateway,
        driver: DriverName,
        options: LineOptions | None = None,
    ) -> Bus:
        """The line behind an address, in this protocol's frames."""
        return Bus(gateway, _framing(gateway, driver), options)

    def driver(self, bus: Bus, profile: Profile, *, serial: str, unit_id: int) -> Driver:
        """One meter on a bus; ValueError for a serial that this protocol cannot call."""
        address = line_address(profile.driver, serial=serial, unit_id=unit_id)
        if profile.driver == "dlt645":
            from npms_meter_gateway.drivers.dlt645.driver import Dlt645Driver

            return Dlt645Driver(bus, address, profile, self.dlt645)
        return ModbusDriver(bus, address, profile)


def _framing(gateway: Gateway, driver: DriverName) -> Framing:
    if driver == "dlt645":
        from npms_meter_gateway.drivers.dlt645.framing import Dlt645

        return Dlt645()
    return framing_of(gateway)
