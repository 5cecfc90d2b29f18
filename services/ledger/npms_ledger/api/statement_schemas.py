"""Statements on REST: every debit leads back to registers, plan version, period and block."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_shared.web.schemas import Energy, Money


class ChargeLineResponse(BaseModel):
    """A part of a charge: what for, in which period and block, how much energy and money."""

    component: str = Field(examples=["energy"])
    period: str = Field(examples=["peak"])
    block: int = Field(examples=[1])
    energy: Energy
    amount: Money

    @classmethod
    def of(cls, line: list[Any], currency: str) -> Self:
        component, period, block, energy_wh, amount_micro = line
        return cls(
            component=component,
            period=period,
            block=block,
            energy=Energy.of(energy_wh),
            amount=Money.of(amount_micro, currency),
        )


class ChargeResponse(BaseModel):
    """What a debit was for: the two readings it lies between, and how it was rated."""

    installation_id: int
    register_from: Energy
    register_to: Energy
    read_from: datetime
    read_to: datetime
    energy: Energy
    plan_version_id: int
    plan_code: str | None
    plan_version: int | None
    tax: Money = Field(description="contained in the amount")
    lines: list[ChargeLineResponse]

    @classmethod
    def of(cls, row: Row[Any], currency: str) -> Self:
        return cls(
            installation_id=row.installation_id,
            register_from=Energy.of(row.from_register_wh),
            register_to=Energy.of(row.to_register_wh),
            read_from=row.from_at,
            read_to=row.to_at,
            energy=Energy.of(row.energy_wh),
            plan_version_id=row.plan_version_id,
            plan_code=row.plan_code,
            plan_version=row.version,
            tax=Money.of(row.tax_micro, currency),
            lines=[ChargeLineResponse.of(line, currency) for line in orjson.loads(row.lines)],
        )


class AdjustmentResponse(BaseModel):
    """What a correction, provisional charge or settlement was for; registers are not touched."""

    adjustment_id: UUID
    installation_id: int
    begins: datetime = Field(description="of the time it is for")
    ends: datetime
    energy: Energy = Field(description="by which the energy billed changes; mostly none")
    plan_code: str | None
    plan_version: int | None
    tax: Money = Field(description="contained in the amount")
    lines: list[ChargeLineResponse]
    reason: str

    @classmethod
    def of(cls, row: Row[Any], currency: str) -> Self:
        return cls(
            adjustment_id=row.adjustment_id,
            installation_id=row.adjusted_installation_id,
            begins=row.adjusted_from,
            ends=row.adjusted_to,
            energy=Energy.of(row.adjusted_wh),
            plan_code=row.plan_code,
            plan_version=row.version,
            tax=Money.of(row.adjusted_tax_micro, currency),
            lines=[
                ChargeLineResponse.of(line, currency) for line in orjson.loads(row.adjusted_lines)
            ],
            reason=row.reason,
        )


class PaymentResponse(BaseModel):
    payment_id: UUID
    source: str | None
    reference: str | None


class PostingResponse(BaseModel):
    """One posting. `amount` is positive in the customer's favour; `after` is its bucket's value."""

    seq: int
    posted_at: datetime
    kind: str = Field(examples=["charge"])
    bucket: str = Field(examples=["balance"])
    amount: Money
    after: Money
    charge: ChargeResponse | None
    payment: PaymentResponse | None
    adjustment: AdjustmentResponse | None = None
    item: int | None = Field(
        default=None, description="number of the debt or granted credit that it touches"
    )
    label: str | None = Field(
        default=None, description="that one's name, or of a charge that a top-up pays"
    )
    tax: Money | None = Field(default=None, description="contained in a charge a top-up pays")

    @classmethod
    def of(cls, row: Row[Any], currency: str) -> Self:
        return cls(
            seq=row.seq,
            posted_at=row.posted_at,
            kind=row.kind,
            bucket=row.bucket,
            amount=Money.of(row.amount_micro, currency),
            after=Money.of(row.after_micro, currency),
            charge=ChargeResponse.of(row, currency) if row.kind == "charge" else None,
            payment=_payment(row),
            adjustment=AdjustmentResponse.of(row, currency)
            if row.adjustment_id is not None
            else None,
            item=row.item_no,
            label=row.label,
            tax=Money.of(row.tax_micro, currency) if row.kind == "vend_charge" else None,
        )


def _payment(row: Row[Any]) -> PaymentResponse | None:
    if row.payment_id is None:
        return None
    return PaymentResponse(payment_id=row.payment_id, source=row.source, reference=row.reference)
