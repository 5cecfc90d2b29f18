"""A meter made of libmodbus, a Modbus library in C that knows nothing of ours: run as a process.

It shows the registers of a Hiking DDS238-2 ZN/SR, counts while its relay is closed, and prints its
port, then `on` or `off` whenever the relay has moved. Behind them register `a` reads `a`.
"""

import ctypes
import os
import socket
from ctypes import POINTER, c_int, c_uint8, c_uint16, c_void_p
from typing import Any

ENERGY, VOLTAGE, POWER, FREQUENCY, RELAY = 0x0A, 0x0C, 0x0E, 0x11, 0x1A
BEGINS_10WH, LOAD_W = 100_000, 1500
COUNT, ALL = 0x20, 0x100


class Mapping(ctypes.Structure):
    """`modbus_mapping_t` of libmodbus 3.1."""

    _fields_ = (
        *((name, c_int) for name in (
            "nb_bits", "start_bits", "nb_input_bits", "start_input_bits",
            "nb_input_registers", "start_input_registers", "nb_registers", "start_registers",
        )),
        ("tab_bits", POINTER(c_uint8)),
        ("tab_input_bits", POINTER(c_uint8)),
        ("tab_input_registers", POINTER(c_uint16)),
        ("tab_registers", POINTER(c_uint16)),
    )  # fmt: skip


def load() -> Any:
    library = ctypes.CDLL("libmodbus.so.5", use_errno=True)
    library.modbus_new_tcp.restype = c_void_p
    library.modbus_mapping_new.restype = POINTER(Mapping)
    return library


def show(registers: Any, counted_10wh: int) -> None:
    registers[ENERGY], registers[ENERGY + 1] = counted_10wh >> 16, counted_10wh & 0xFFFF
    registers[VOLTAGE], registers[FREQUENCY] = 2305, 5000
    registers[POWER] = LOAD_W if registers[RELAY] else 0


def main() -> None:
    library = load()
    context = c_void_p(library.modbus_new_tcp(b"127.0.0.1", 0))
    mapping = library.modbus_mapping_new(0, 0, ALL, 0)
    registers, counted = mapping.contents.tab_registers, BEGINS_10WH
    registers[RELAY] = was_on = 1
    for address in range(COUNT, ALL):
        registers[address] = address
    show(registers, counted)
    listening = c_int(library.modbus_tcp_listen(context, 5))
    with socket.socket(fileno=os.dup(listening.value)) as named:
        print(named.getsockname()[1], flush=True)
    request = (c_uint8 * 260)()
    while library.modbus_tcp_accept(context, ctypes.byref(listening)) >= 0:
        while (size := library.modbus_receive(context, request)) >= 0:
            counted += registers[RELAY]
            show(registers, counted)
            library.modbus_reply(context, request, size, mapping)
            if registers[RELAY] != was_on:
                was_on = registers[RELAY]
                print("on" if was_on else "off", flush=True)
        library.modbus_close(context)


if __name__ == "__main__":
    main()
