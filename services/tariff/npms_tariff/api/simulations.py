"""What accounts would have paid under another version or a draft, as lines of JSON."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal, Self

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import MAX_ID, CodedError, Energy, Instant, Money, Schema
from npms_tariff.api.schemas import PLAN_CODE
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.comparison import (
    AccountCompared,
    AccountLeftOut,
    Begun,
    Compared,
    Progress,
    SimulationStep,
)
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.simulate import Simulation, Wanted, prepare_simulation

NDJSON = "application/x-ndjson"
EXAMPLE: JsonDict = {
    "of": {"plan_code": "household"},
    "under": {"plan_code": "household", "version": 2},
}


class SimulatedOfRequest(Schema):
    """Whose use: one account's, that of a class of customers, or of everybody on a plan."""

    account_id: int | None = Field(default=None, ge=1, le=MAX_ID)
    customer_class: str | None = Field(default=None, max_length=60, examples=["indigent"])
    plan_code: str | None = Field(default=None, pattern=PLAN_CODE, examples=["household"])

    @model_validator(mode="after")
    def _one(self) -> Self:
        chosen = (self.account_id, self.customer_class, self.plan_code)
        if sum(value is not None for value in chosen) != 1:
            raise CodedError("one_of", "send one of account_id, customer_class and plan_code")
        return self


class SimulatedUnderRequest(Schema):
    """A version or draft by its number, or a document as a version of the plan."""

    plan_code: str = Field(pattern=PLAN_CODE, examples=["household"])
    version: int | None = Field(default=None, ge=1, le=2**31 - 1, examples=[2])
    document: PlanDocument | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.version is None) == (self.document is None):
            raise CodedError("version_or_document", "send either version or document")
        return self


class SimulationRequest(Schema):
    """Without a span it is of the last month that has ended where the account is."""

    model_config = ConfigDict(
        extra="forbid", populate_by_name=True, json_schema_extra={"examples": [EXAMPLE]}
    )

    of: SimulatedOfRequest
    under: SimulatedUnderRequest
    begin: Instant | None = Field(
        default=None, alias="from", description="a full local hour; hours that begin at or after it"
    )
    end: Instant | None = Field(
        default=None, alias="to", description="a full local hour; hours that begin before it"
    )

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.begin is None) != (self.end is None):
            raise CodedError("from_and_to", "send both from and to, or neither")
        return self

    def wanted(self) -> Wanted:
        under = self.under
        assert under.version is not None or under.document is not None
        return Wanted(
            account_id=self.of.account_id,
            customer_class=self.of.customer_class,
            plan_code=self.of.plan_code,
            span=_span(self.begin, self.end),
            under_plan=under.plan_code,
            under=under.document or under.version or 0,
        )


def _span(begin: datetime | None, end: datetime | None) -> tuple[datetime, datetime] | None:
    return None if begin is None or end is None else (begin.astimezone(UTC), end.astimezone(UTC))


class ComponentResponse(BaseModel):
    component: str = Field(examples=["energy", "tax:vat"])
    old_cost: Money
    new_cost: Money
    difference: Money


class ComparedResponse(BaseModel):
    """`old_cost` and `new_cost` are rated from the same hours of use; `charged` is what was."""

    energy: Energy
    old_cost: Money
    new_cost: Money
    difference: Money = Field(description="new less old")
    charged: Money
    exact: bool = Field(
        description="false where a price period, a window of demand or a version begins within a "
        "local hour: use is recorded by the hour, and taken as even within it"
    )
    components: list[ComponentResponse]


class BegunLineResponse(BaseModel):
    line: Literal["begin"] = "begin"
    accounts: int
    other_accounts: int = Field(description="of another commodity or currency: not simulated")


class AccountLineResponse(ComparedResponse):
    line: Literal["account"] = "account"
    account_id: int


class LeftOutLineResponse(BaseModel):
    line: Literal["left_out"] = "left_out"
    account_id: int
    code: Literal["no_plan", "not_open", "hours_dropped"]


class ProgressLineResponse(BaseModel):
    line: Literal["progress"] = "progress"
    done: int
    accounts: int


class TotalLineResponse(ComparedResponse):
    """The last line; an answer without it is incomplete."""

    line: Literal["total"] = "total"
    accounts: int
    left_out: int


SimulationLine = (
    BegunLineResponse
    | AccountLineResponse
    | LeftOutLineResponse
    | ProgressLineResponse
    | TotalLineResponse
)


def simulations_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["plans"])

    @router.post(
        "/simulations",
        operation_id="simulate_plan",
        dependencies=[COSTLY],
        response_class=StreamingResponse,
        responses={
            **problem_responses(404),
            200: {"description": "Lines of JSON", "content": {NDJSON: {"schema": _schema()}}},
        },
    )
    async def simulate_plan(body: SimulationRequest, _: Operator) -> StreamingResponse:
        """The use of accounts on record, rated under the plan they had and under another version or
        a draft, as if that had been in force all the time. A line of JSON for each account, with
        progress in between, and the total as the last."""
        async with context.database.connect() as conn:
            simulation = await prepare_simulation(conn, context, body.wanted())
        return StreamingResponse(_lines(simulation), media_type=NDJSON)

    return router


def _schema() -> dict[str, Any]:
    """Of a line, for the description; each kind is known by `line`."""
    return {
        "type": "object",
        "required": ["line"],
        "properties": {
            "line": {"enum": ["begin", "account", "left_out", "progress", "total"]},
        },
        "description": "`begin` (accounts, other_accounts), `account` (account_id, energy, "
        "old_cost, new_cost, difference, charged, exact, components), `left_out` (account_id, "
        "code), `progress` (done, accounts), `total` (accounts, left_out, and as `account`)",
    }


async def _lines(simulation: Simulation) -> AsyncIterator[str]:
    currency = simulation.currency
    async for step in simulation.run():
        yield _line(step, currency).model_dump_json() + "\n"


def _line(step: SimulationStep, currency: str) -> SimulationLine:
    if isinstance(step, Begun):
        return BegunLineResponse(accounts=step.accounts, other_accounts=step.others)
    if isinstance(step, AccountCompared):
        compared = _compared(step.compared, currency)
        return AccountLineResponse(account_id=step.account_id, **compared)
    if isinstance(step, AccountLeftOut):
        return LeftOutLineResponse(account_id=step.account_id, code=step.code)
    if isinstance(step, Progress):
        return ProgressLineResponse(done=step.done, accounts=step.accounts)
    total = _compared(step.compared, currency)
    return TotalLineResponse(accounts=step.accounts, left_out=step.left_out, **total)


def _compared(compared: Compared, currency: str) -> dict[str, Any]:
    return {
        "energy": Energy.of(compared.energy_wh),
        "charged": Money.of(compared.charged_micro, currency),
        "exact": compared.exact,
        "components": [
            ComponentResponse(component=name, **_sides(old_micro, new_micro, currency))
            for name, (old_micro, new_micro) in sorted(compared.components.items())
        ],
        **_sides(compared.old_micro, compared.new_micro, currency),
    }


def _sides(old_micro: int, new_micro: int, currency: str) -> dict[str, Money]:
    return {
        "old_cost": Money.of(old_micro, currency),
        "new_cost": Money.of(new_micro, currency),
        "difference": Money.of(new_micro - old_micro, currency),
    }
