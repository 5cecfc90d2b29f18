"""A top-up tried: each part of it, and whether it would be accepted."""

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field

from npms_ledger.api.access import Reader, may_see
from npms_ledger.domain.policy import Step
from npms_ledger.domain.position import Bucket, Entry, PostingKind
from npms_ledger.domain.waterfall import ACCUMULATED
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.try_top_up import Trial, try_top_up
from npms_shared.money import parse_amount
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Amount, CodedError, Money, PathId


def _positive(text: str) -> str:
    if parse_amount(text) <= 0:
        raise CodedError("not_positive", "a top-up is more than nothing")
    return text


TopUpAmount = Annotated[
    Amount,
    AfterValidator(_positive),
    Query(description="in the account's currency", examples=["100.00"]),
]


class TopUpPartResponse(BaseModel):
    """`step` is one of the policy's waterfall; `item` the number of a debt."""

    step: str = Field(examples=["payment_debt"])
    item: int | None = Field(examples=[1])
    label: str = Field(examples=["arrears of 2025"])
    amount: Money


class TopUpTrialResponse(BaseModel):
    amount: Money
    parts: list[TopUpPartResponse] = Field(description="in their order; they sum to the amount")
    refused: str | None = Field(
        description="below_minimum, above_maximum, balance_too_high: the policy's limits"
    )
    restores_supply: bool = Field(description="whether credit would then carry the supply")
    balance_after: Money
    debt_after: Money

    @classmethod
    def of(cls, trial: Trial, amount_micro: int) -> Self:
        currency, after = trial.account.currency, trial.posted.position
        return cls(
            amount=Money.of(amount_micro, currency),
            parts=_parts(trial, amount_micro),
            refused=trial.refused,
            restores_supply=trial.restores,
            balance_after=Money.of(after.balance_micro, currency),
            debt_after=Money.of(after.debt_micro, currency),
        )


def trials_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    @router.get(
        "/{account_id}/top-up-trial", operation_id="try_top_up", responses=problem_responses(404)
    )
    async def try_amount(
        caller: Reader, account_id: PathId, amount: TopUpAmount
    ) -> TopUpTrialResponse:
        """Where a top-up would go now; nothing is sold and nothing is kept."""
        amount_micro = parse_amount(amount)
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            trial = await try_top_up(conn, account_id, amount_micro, context.clock.now())
        return TopUpTrialResponse.of(trial, amount_micro)

    return router


def _parts(trial: Trial, amount_micro: int) -> list[TopUpPartResponse]:
    """Each step's, and what they leave for the balance."""
    taken = [(step, entry) for entry in trial.posted.entries if (step := _step(entry))]
    left_micro = amount_micro - sum(abs(entry.amount_micro) for _, entry in taken)
    currency = trial.account.currency
    parts = [
        TopUpPartResponse(
            step=step,
            item=entry.item,
            label=entry.label,
            amount=Money.of(abs(entry.amount_micro), currency),
        )
        for step, entry in taken
    ]
    rest = TopUpPartResponse(
        step=Step.BALANCE, item=None, label="", amount=Money.of(left_micro, currency)
    )
    return [*parts, rest]


def _step(entry: Entry) -> Step | None:
    if entry.kind is PostingKind.VEND_CHARGE:
        return Step.VEND_CHARGES
    if entry.bucket is Bucket.DEBT:
        return Step.PAYMENT_DEBT
    if entry.bucket is Bucket.EMERGENCY:
        return Step.EMERGENCY_CREDIT
    return Step.ACCUMULATED if entry.label == ACCUMULATED else None
