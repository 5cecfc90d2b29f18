"""The request by which a relay is moved."""

from npms_meter_gateway.domain.relay import Relay, State
from npms_meter_gateway.drivers.modbus.pdus import WriteCoil, WriteRegisters


def command(
    relay: Relay, state: State, serial_number: int | None = None
) -> WriteCoil | WriteRegisters:
    """What moves `relay` to `state`; a keyed one asks for the meter's serial number."""
    if relay.kind == "fc5_coil":
        return WriteCoil(relay.address, state == "on")
    return WriteRegisters(relay.address, relay.words(state, serial_number))
