"""Who would be cut, asked beforehand: under the policy in force, or under one not yet written."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from npms_ledger.api.policy_schemas import PolicyDocument
from npms_ledger.domain.account import Account
from npms_ledger.domain.foresight import ForeseenCut, Use
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.dry_run import ASSUMPTION, Foreseen, Question, foresee_cuts
from npms_ledger.handlers.errors import CurrencyMismatch
from npms_ledger.handlers.policies import read_policy
from npms_shared.web.pages import Cursor, Limit, Page, encode_cursor, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import Line, Money, Schema

DAY_S = 86_400
MOST_HOURS = 336
Hours = Annotated[int, Query(ge=1, le=MOST_HOURS, description="how far to look", examples=[24])]
PolicyCode = Annotated[
    str | None, Query(max_length=60, description="only accounts on this credit policy")
]


class ForeseenCutResponse(BaseModel):
    """A supply that would be switched off, why, and what avoids it."""

    account_id: int
    cut_at: datetime
    reason: str = Field(examples=["exhausted"])
    hold_ended: str | None = Field(
        description="what keeps it on until then", examples=["friendly_hours"]
    )
    credit_policy: str
    credit_policy_version: int = Field(description="of a policy not yet written, the next one")
    balance: Money
    balance_then: Money
    use_per_day: Money
    amount_to_avoid: Money = Field(
        description="the smallest top-up now after which it is not cut in the time looked at"
    )

    @classmethod
    def of(cls, account: Account, use: Use, cut: ForeseenCut) -> Self:
        currency = account.currency
        return cls(
            account_id=account.account_id,
            cut_at=cut.at,
            reason=cut.reason.value,
            hold_ended=cut.hold_ended.value if cut.hold_ended else None,
            credit_policy=account.policy_code,
            credit_policy_version=account.policy_version,
            balance=Money.of(account.position.balance_micro, currency),
            balance_then=Money.of(cut.balance_micro, currency),
            use_per_day=Money.of(use.after(DAY_S), currency),
            amount_to_avoid=Money.of(cut.avoid_micro, currency),
        )


class DryRunResponse(Page[ForeseenCutResponse]):
    """A page may have fewer items than asked for, or none, and still be followed by another."""

    looked_at: int = Field(description="accounts of this page whose supply is on")
    until: datetime
    assumption: str

    @classmethod
    def of(cls, found: Foreseen, question: Question) -> Self:
        following = None if found.next_after is None else encode_cursor(found.next_after)
        return cls(
            items=[ForeseenCutResponse.of(*foreseen) for foreseen in found.cuts],
            next_cursor=following,
            looked_at=found.looked_at,
            until=question.until,
            assumption=ASSUMPTION,
        )


class DryRunRequest(Schema):
    """What if the accounts on a credit policy were under this one?"""

    hours: int = Field(ge=1, le=MOST_HOURS, examples=[24])
    credit_policy: Line = Field(examples=["standard"])
    policy: PolicyDocument = Field(
        description="as it would be written", examples=[{"currency": "KES", "floor": "50"}]
    )


def dry_run_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/dry-run", tags=["dry run"])

    @router.get(
        "/cuts", operation_id="foresee_cuts", dependencies=[COSTLY], responses=problem_responses()
    )
    async def foresee(
        _caller: Operator,
        hours: Hours,
        credit_policy: PolicyCode = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> DryRunResponse:
        """Who would be cut in the next hours if use went on as lately; nothing is changed."""
        now = context.clock.now()
        question = Question(now, now + timedelta(hours=hours), credit_policy)
        async with context.database.connect() as conn:
            found = await foresee_cuts(conn, question, after=number_in(cursor) or 0, limit=limit)
        return DryRunResponse.of(found, question)

    @router.post(
        "/cuts",
        operation_id="foresee_cuts_of_policy",
        dependencies=[COSTLY],
        responses=problem_responses(),
    )
    async def foresee_cuts_of_policy(
        _caller: Operator, request: DryRunRequest, cursor: Cursor = None, limit: Limit = 50
    ) -> DryRunResponse:
        """The same under a policy that is not written: try it before you put it in force."""
        now = context.clock.now()
        question = Question(
            now,
            now + timedelta(hours=request.hours),
            request.credit_policy,
            request.policy.to_policy(),
        )
        async with context.database.connect() as conn:
            written = await read_policy(conn, request.credit_policy)
            if written.currency != request.policy.currency:
                raise CurrencyMismatch("credit policy", request.policy.currency, written.currency)
            found = await foresee_cuts(conn, question, after=number_in(cursor) or 0, limit=limit)
        return DryRunResponse.of(found, question)

    return router
