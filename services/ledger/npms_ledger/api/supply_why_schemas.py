"""Why a supply was cut, on REST."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.api.balance_why_schemas import BalanceWhyResponse
from npms_ledger.api.policy_schemas import PolicyResponse
from npms_ledger.api.statement_schemas import (
    PostingResponse,
)
from npms_ledger.api.supply_schemas import SupplyDecisionResponse
from npms_ledger.domain.explaining import supply_sentence
from npms_ledger.handlers.explain import SupplyStory
from npms_shared.money import format_amount
from npms_shared.web.schemas import Money


class InCreditResponse(BaseModel):
    seq: int
    at: datetime
    balance: Money


class SupplyNowResponse(BaseModel):
    installation_id: int
    state: Literal["on", "off"]
    reason: str = Field(examples=["in_credit"])
    revision: int
    decided_at: datetime


class SupplyWhyResponse(BaseModel):
    """The last cut (or, where there was none, the last decision), what led to it, what would have
    avoided it, and where the money went.
    """

    account_id: int
    because: str = Field(examples=["Supply was switched off because the credit had run out; …"])
    decision: SupplyDecisionResponse
    policy: PolicyResponse = Field(description="as it was then")
    would_have_avoided_it: Money | None = Field(
        description="the smallest top-up just before that had kept supply on; null: not a cut"
    )
    now: list[SupplyNowResponse]
    last_in_credit: InCreditResponse | None = Field(
        description="the last posting that left the balance above the floor; null: never before"
    )
    since_in_credit: BalanceWhyResponse
    entries: list[PostingResponse] = Field(description="since then, newest first, at most 200")
    since_last_top_up: BalanceWhyResponse = Field(description="the top-up included")

    @classmethod
    def of(cls, story: SupplyStory) -> Self:
        decision, currency = story.decision, story.currency
        was_cut = decision.state == "off" and decision.reason != "account_closed"
        return cls(
            account_id=decision.account_id,
            because=_supply_words(decision),
            decision=SupplyDecisionResponse.of(decision, currency),
            policy=PolicyResponse.of(story.policy),
            would_have_avoided_it=(
                Money.of(decision.amount_to_clear_micro, currency) if was_cut else None
            ),
            now=[SupplyNowResponse.model_validate(row, from_attributes=True) for row in story.now],
            last_in_credit=_in_credit(story.in_credit, currency),
            since_in_credit=BalanceWhyResponse.of(story.since_credit),
            entries=[PostingResponse.of(row, currency) for row in story.entries],
            since_last_top_up=BalanceWhyResponse.of(story.since_top_up),
        )


def _supply_words(decision: Row[Any]) -> str:
    sentence = supply_sentence(
        decision.state,
        decision.reason,
        decided_by=decision.decided_by,
        subject=decision.subject,
        hold_ended=decision.hold_ended,
    )
    balance, floor = format_amount(decision.balance_micro), format_amount(decision.floor_micro)
    return f"{sentence} The balance was {balance}, the floor {floor}."


def _in_credit(row: Row[Any] | None, currency: str) -> InCreditResponse | None:
    if row is None:
        return None
    return InCreditResponse(
        seq=row.seq, at=row.posted_at, balance=Money.of(row.after_micro, currency)
    )
