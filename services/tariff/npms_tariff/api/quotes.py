"""What money would buy now, or units cost."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from npms_shared.contracts.tariff import ChargeLine
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import MAX_ID, CodedError, Energy, Money, PathId, Schema
from npms_tariff.domain.vending import MOST_WH
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.quote import Quote, QuoteCommand, quote_units

FOR_MONEY: JsonDict = {"money": {"amount": "500.00", "currency": "KES"}}
FOR_UNITS: JsonDict = {"energy": {"value": "20.000", "unit": "kWh"}}


class QuoteRequest(Schema):
    """The money to spend or else the energy to buy; an account with several meters names one."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [FOR_MONEY, FOR_UNITS]}
    )

    money: Money | None = None
    energy: Energy | None = None
    installation_id: int | None = Field(default=None, ge=1, le=MAX_ID)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.money is None) == (self.energy is None):
            raise CodedError("money_or_energy", "send either money or energy")
        if self.money is not None and self.money.micro <= 0:
            raise CodedError("not_positive", "money is above zero")
        if self.energy is not None and not 0 < self.energy.wh <= MOST_WH:
            raise CodedError("energy_out_of_range", f"above zero, at most {MOST_WH // 1000}")
        return self

    def to_command(self, account_id: int) -> QuoteCommand:
        return QuoteCommand(
            account_id,
            self.installation_id,
            money_micro=self.money.micro if self.money else None,
            currency=self.money.currency if self.money else None,
            energy_wh=self.energy.wh if self.energy else None,
        )


class QuoteLineResponse(BaseModel):
    """A part of the cost; `block` counts from 1, 0 where there is none."""

    component: str = Field(examples=["energy", "tax:vat"])
    period: str = Field(examples=["peak"])
    block: int = Field(examples=[2])
    energy: Energy
    amount: Money

    @classmethod
    def of(cls, line: ChargeLine, currency: str) -> "QuoteLineResponse":
        component, period, block, energy_wh, amount_micro = line
        return cls(
            component=component,
            period=period,
            block=block,
            energy=Energy.of(energy_wh),
            amount=Money.of(amount_micro, currency),
        )


class QuoteResponse(BaseModel):
    """The lines sum to the cost; cost and residue to the money that was offered."""

    account_id: int
    installation_id: int
    plan_code: str
    plan_version: int
    plan_version_id: int
    at: datetime
    period: str = Field(description="in force at `at`; all of the energy is priced in it")
    month_energy: Energy = Field(description="used this month so far: where the blocks stand")
    energy: Energy
    cost: Money
    tax: Money = Field(description="in the cost")
    residue: Money = Field(description="what is left because one more unit would cost more")
    lines: list[QuoteLineResponse]
    not_included: list[str] = Field(
        description="components of the plan that accrue besides", examples=[["standing"]]
    )

    @classmethod
    def of(cls, quote: Quote) -> "QuoteResponse":
        sold, currency = quote.sale, quote.installation.currency
        return cls(
            account_id=quote.installation.account_id,
            installation_id=quote.installation.installation_id,
            plan_code=quote.version.plan_code,
            plan_version=quote.version.version,
            plan_version_id=quote.version.plan_version_id,
            at=quote.at,
            period=quote.position.period,
            month_energy=Energy.of(quote.position.month_wh),
            energy=Energy.of(sold.energy_wh),
            cost=Money.of(sold.cost_micro, currency),
            tax=Money.of(sold.tax_micro, currency),
            residue=Money.of(sold.residue_micro, currency),
            lines=[QuoteLineResponse.of(line, currency) for line in sold.lines],
            not_included=list(quote.position.not_included),
        )


def quotes_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["quotes"])

    @router.post(
        "/accounts/{account_id}/quotes",
        operation_id="quote_units",
        responses=problem_responses(404),
    )
    async def post_quote(account_id: PathId, body: QuoteRequest, caller: Caller) -> QuoteResponse:
        """A trial sale of units: what money buys, or energy costs, at this moment and place in the
        month. Nothing changes; until something is used, or the price period or plan version
        changes, the same question has the same answer."""
        async with context.database.connect() as conn:
            quote = await quote_units(conn, context, body.to_command(account_id), principal=caller)
        return QuoteResponse.of(quote)

    return router
