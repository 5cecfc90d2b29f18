"""The part of a profile file that says how supply is switched and limited."""

from fractions import Fraction
from typing import Literal

from pydantic import Field

from npms_meter_gateway.domain import relay as domain
from npms_meter_gateway.domain.profile import ProfileError
from npms_meter_gateway.profiles.fields import Block, Exact, Register

STATUS_WORD_3 = 0x0400_0503


class ReadBack(Block):
    table: Literal["coil", "input", "holding"]
    address: Register
    value_on: Register
    value_off: Register
    value_armed: Register | None = None


class FaultBlock(Block):
    table: Literal["input", "holding"]
    address: Register
    value: Register


class RelayBlock(Block):
    """`read_back: power` says that the meter has no state to read: power that flows is all the
    evidence there is.
    """

    kind: Literal[
        "none", "fc16_register", "fc5_coil", "fc16_keyed", "fc16_timed", "dlt645_control", "local"
    ]
    address: Register = 0
    value_on: Register = 1
    value_off: Register = 0
    read_back: ReadBack | Literal["power"] | None = None
    fault: FaultBlock | None = None
    key: Literal["fineco"] | None = None
    open_for_s: int = Field(default=domain.FOR_EVER_S, ge=60, le=domain.FOR_EVER_S)
    local_reclose: bool = False
    settle_ms: int = Field(default=500, ge=0, le=60_000)


class LoadLimitBlock(Block):
    address: Register
    scale: Exact = Fraction(1)
    value_off: Register
    settle_ms: int = Field(default=500, ge=0, le=60_000)


def relay_of(block: RelayBlock, name: str) -> domain.Relay | None:
    """None for a meter that cannot be switched; `name` is the file's, for messages.

    Raises ProfileError.
    """
    if block.kind == "none":
        return None
    if block.kind == "dlt645_control":
        return _dlt645(block)
    if block.read_back is None:
        raise ProfileError(name, ["relay.read_back: a relay that cannot be read is not switched"])
    if (block.kind == "fc16_keyed") != (block.key is not None):
        raise ProfileError(name, ["relay.key: a keyed relay, and no other, names its key"])
    return domain.Relay(
        kind=block.kind,
        settle_ms=block.settle_ms,
        address=block.address,
        value_on=block.value_on,
        value_off=block.value_off,
        read_back=_read_back_of(block.read_back),
        fault=domain.FaultRegister(**dict(block.fault)) if block.fault else None,
        key=block.key or "",
        open_for_s=block.open_for_s,
        local_reclose=block.local_reclose or block.kind == "local",
    )


def _dlt645(block: RelayBlock) -> domain.Relay:
    """Running status word 3 tells of the relay in every meter of this protocol."""
    return domain.Relay(
        kind="dlt645_control",
        settle_ms=block.settle_ms,
        read_back=domain.ReadBack("holding", STATUS_WORD_3, on=0, off=1, armed=2),
        local_reclose=block.local_reclose,
    )


def _read_back_of(block: ReadBack | Literal["power"]) -> domain.ReadBack | None:
    if block == "power":
        return None
    return domain.ReadBack(
        table=block.table,
        address=block.address,
        on=block.value_on,
        off=block.value_off,
        armed=block.value_armed,
    )


def load_limit_of(block: LoadLimitBlock | None) -> domain.LoadLimit | None:
    return None if block is None else domain.LoadLimit(**dict(block))
