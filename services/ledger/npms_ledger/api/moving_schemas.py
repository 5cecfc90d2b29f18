"""Meters that change, people who leave, on REST."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator
from sqlalchemy import Row

from npms_ledger.api.account_schemas import MeterDocument
from npms_ledger.handlers.swap_meter import SwapMeter
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.web.schemas import MAX_ID, CodedError, Energy, Line, Money, Schema


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
        return {one.installation_id: one.register_.wh for one in self.final_readings}


class RefundRequest(Schema):
    payee: Line = Field(description="to whom and where", examples=["A. Otieno, +254700000001"])
    reason: Line = Field(examples=["Moved out."])


class PayRefundRequest(Schema):
    reference: Line = Field(examples=["FT26045XYZ"])


class RefundResponse(BaseModel):
    """What remained of an account, on its way back to its customer."""

    refund_id: UUID
    account_id: int
    amount: Money
    payee: str
    reason: str
    state: Literal["payable", "paid"]
    requested_by: str
    requested_at: datetime
    reference: str | None
    paid_by: str | None
    paid_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> "RefundResponse":
        amount = Money.of(row.amount_micro, row.currency)
        return cls.model_validate({**row._mapping, "amount": amount})
