"""Meters that change, people who leave, on REST."""

from pydantic import BaseModel, Field, field_validator

from npms_ledger.api.account_schemas import MeterDocument
from npms_ledger.handlers.swap_meter import SwapMeter
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.web.schemas import MAX_ID, CodedError, Energy, Line, Schema


def _not_negative(register: Energy) -> Energy:
    if register.wh < 0:
        raise CodedError("negative_register", "a register is not negative")
    return register


class SwapRequest(Schema):
    """The old meter's last register, the new meter and its first one."""

    closing_register: Energy
    meter: MeterDocument
    opening_register: Energy
    reason: Line = Field(examples=["Burnt terminal."])

    _registers = field_validator("closing_register", "opening_register")(_not_negative)

    def to_command(self, account_id: int, installation_id: int) -> SwapMeter:
        return SwapMeter(
            account_id=account_id,
            installation_id=installation_id,
            closing_register_wh=self.closing_register.wh,
            meter=MeterConnection(**self.meter.model_dump()),
            opening_register_wh=self.opening_register.wh,
            reason=self.reason,
        )


class SwappedResponse(BaseModel):
    account_id: int
    closed_installation_id: int
    installation_id: int


class FinalReadingRequest(Schema):
    installation_id: int = Field(ge=1, le=MAX_ID, examples=[1])
    register_: Energy = Field(alias="register")

    _register = field_validator("register_")(_not_negative)


class MoveOutRequest(Schema):
    """Without a final reading an installation ends at what was last billed."""

    final_readings: list[FinalReadingRequest] = Field(default=[], max_length=20)
    reason: Line = Field(examples=["Moves to another town."])

    def registers_wh(self) -> dict[int, int]:
        return {reading.installation_id: reading.register_.wh for reading in self.final_readings}
