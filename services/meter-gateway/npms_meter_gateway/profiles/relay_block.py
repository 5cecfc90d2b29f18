"""The part of a profile file that says how supply is switched and limited."""

from fractions import Fraction
from typing import Literal

from pydantic import Field

from npms_meter_gateway.domain import relay as domain
from npms_meter_gateway.domain.profile import ProfileError
from npms_meter_gateway.profiles.fields import Block, Exact, Register


class ReadBack(Block):
    table: Literal["coil", "input", "holding"]
    address: Register
    value_on: Register
    value_off: Register


class RelayBlock(Block):
    kind: Literal["none", "fc16_register", "fc5_coil"]
    address: Register = 0
    value_on: Register = 1
    value_off: Register = 0
    read_back: ReadBack | None = None
    settle_ms: int = Field(default=500, ge=0, le=60_000)


class LoadLimitBlock(Block):
    address: Register
    scale: Exact = Fraction(1)
    value_off: Register
    settle_ms: int = Field(default=500, ge=0, le=60_000)


def relay_of(block: RelayBlock, name: str) -> domain.Relay | None:
    """None for a meter that cannot be switched; `name` is the file's, for messages."""
    if block.kind == "none":
        return None
    if block.read_back is None:
        raise ProfileError(name, ["relay.read_back: a relay that cannot be read is not switched"])
    return domain.Relay(
        kind=block.kind,
        address=block.address,
        value_on=block.value_on,
        value_off=block.value_off,
        read_table=block.read_back.table,
        read_address=block.read_back.address,
        read_on=block.read_back.value_on,
        read_off=block.read_back.value_off,
        settle_ms=block.settle_ms,
    )


def load_limit_of(block: LoadLimitBlock | None) -> domain.LoadLimit | None:
    return None if block is None else domain.LoadLimit(**dict(block))
