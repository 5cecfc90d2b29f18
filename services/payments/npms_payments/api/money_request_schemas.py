"""Money that waits for a second person, on REST."""

from dataclasses import asdict
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from npms_payments.domain.records import MoneyRequest
from npms_shared.web.schemas import Money


class MoneyRequestResponse(BaseModel):
    """What was asked, by whom, and what came of it: a payment, or money set aside."""

    request_id: UUID
    kind: Literal["payment", "allocation", "return"]
    state: Literal["requested", "posted", "rejected"]
    amount: Money
    account_number: str
    source: str
    reference: str
    suspense_id: UUID | None = Field(
        description="of an allocation; of a payment that was posted and set aside"
    )
    reason: str | None
    returned_reference: str | None = Field(description="of a return: the number of its way back")
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decided_reason: str | None
    payment_id: UUID | None = Field(description="once it is posted")

    @classmethod
    def of(cls, asked: MoneyRequest) -> "MoneyRequestResponse":
        amount = Money.of(asked.amount_micro, asked.currency)
        return cls.model_validate({**asdict(asked), "amount": amount})
