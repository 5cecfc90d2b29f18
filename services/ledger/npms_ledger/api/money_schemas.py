"""Money that people move, on REST."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Row

from npms_ledger.handlers.money_requests import MoneyRequest
from npms_shared.web.schemas import MAX_ID, CodedError, Line, Money, Schema

Reason = Line


class MoneyFixRequest(Schema):
    """Signed from the customer's side: positive gives, negative takes."""

    amount: Money
    reason: Reason = Field(examples=["The voucher of 3 May was redeemed and never credited."])

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.amount.micro == 0:
            raise CodedError("amount_zero", "the amount is zero")
        return self

    def to_command(self, account_id: int) -> MoneyRequest:
        return MoneyRequest(
            "money_fix", account_id, self.amount.micro, self.amount.currency, self.reason
        )


class TransferRequest(Schema):
    to_account_id: int = Field(ge=1, le=MAX_ID, examples=[2])
    amount: Money
    reason: Reason = Field(examples=["She moves from door 3 to door 4."])

    @model_validator(mode="after")
    def _gives(self) -> Self:
        if self.amount.micro <= 0:
            raise CodedError("amount_not_positive", "a transfer moves more than nothing")
        return self

    def to_command(self, account_id: int) -> MoneyRequest:
        return MoneyRequest(
            kind="transfer",
            account_id=account_id,
            amount_micro=self.amount.micro,
            currency=self.amount.currency,
            reason=self.reason,
            to_account_id=self.to_account_id,
        )


class ReallocationRequest(Schema):
    to_account_id: int = Field(ge=1, le=MAX_ID, examples=[2])
    reason: Reason = Field(examples=["The payer typed the meter of the house next door."])


class MoneyRequestResponse(BaseModel):
    """What was asked, by whom, and what came of it."""

    request_id: UUID
    kind: Literal["money_fix", "transfer", "reallocation", "grant", "opening_credit"]
    state: Literal["requested", "posted", "rejected"]
    account_id: int
    to_account_id: int | None
    payment_id: UUID | None
    terms: dict[str, Any] | None = Field(description="of a grant, amounts in micro-units")
    amount: Money = Field(description="as asked")
    moved: Money | None = Field(description="as posted: of a reallocation, what was not yet spent")
    reason: str
    requested_by: str
    requested_at: datetime
    decided_by: str | None = Field(description="the second person, where one was needed")
    decided_at: datetime | None
    decided_reason: str | None
    posted_at: datetime | None
    journal_id: UUID | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        moved = row.moved_micro
        return cls.model_validate(
            {
                **row._mapping,
                "amount": Money.of(row.amount_micro, row.currency),
                "moved": None if moved is None else Money.of(moved, row.currency),
            }
        )
