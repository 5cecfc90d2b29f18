"""Where a payment went, on REST."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from npms_ledger.api.statement_schemas import (
    PostingResponse,
)
from npms_ledger.domain.explaining import Part
from npms_ledger.handlers.explain import TopUpStory
from npms_shared.web.schemas import Money


class PartWhyResponse(BaseModel):
    """A step of the waterfall; `after` is what its bucket then held."""

    what: str = Field(examples=["payment_debt"])
    label: str | None
    item: int | None = Field(description="number of the debt")
    amount: Money
    tax: Money | None
    after: Money

    @classmethod
    def of(cls, part: Part, currency: str) -> Self:
        return cls(
            what=part.what,
            label=part.label or None,
            item=part.item,
            amount=Money.of(part.amount_micro, currency),
            tax=Money.of(part.tax_micro, currency) if part.tax_micro else None,
            after=Money.of(part.after_micro, currency),
        )


class BucketChangeResponse(BaseModel):
    bucket: str = Field(examples=["balance"])
    before: Money
    after: Money


class TopUpWhyResponse(BaseModel):
    """Where a payment went, in the order of the policy's waterfall; the parts sum to it."""

    payment_id: UUID
    account_id: int
    source: str
    reference: str
    amount: Money
    settled_at: datetime | None
    credited_at: datetime | None = Field(description="null: never credited")
    parts: list[PartWhyResponse]
    buckets: list[BucketChangeResponse]
    reversed_at: datetime | None
    reversal_reason: str | None
    taken_back: list[PostingResponse]

    @classmethod
    def of(cls, story: TopUpStory) -> Self:
        payment = story.payment
        currency = payment.currency
        return cls(
            payment_id=payment.payment_id,
            account_id=payment.account_id,
            source=payment.source,
            reference=payment.reference,
            amount=Money.of(payment.amount_micro, currency),
            settled_at=payment.settled_at,
            credited_at=story.credited_at,
            parts=[PartWhyResponse.of(part, currency) for part in story.parts],
            buckets=_changes(story.before, story.after, currency),
            reversed_at=payment.reversed_at,
            reversal_reason=payment.reversal_reason,
            taken_back=[PostingResponse.of(row, currency) for row in story.reversal],
        )


def _changes(
    before: Mapping[str, int], after: Mapping[str, int], currency: str
) -> list[BucketChangeResponse]:
    return [
        BucketChangeResponse(
            bucket=bucket,
            before=Money.of(value, currency),
            after=Money.of(after[bucket], currency),
        )
        for bucket, value in before.items()
        if bucket == "balance" or value or after[bucket]
    ]
