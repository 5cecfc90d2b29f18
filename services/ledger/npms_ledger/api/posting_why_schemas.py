"""Why a posting is as it is, on REST."""

from datetime import datetime
from typing import Any, Self
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.api.statement_schemas import (
    AdjustmentResponse,
    PaymentResponse,
    PostingResponse,
)
from npms_ledger.domain.explaining import LineKey, price_that_follows
from npms_ledger.handlers.explain import PostingStory
from npms_shared.web.schemas import Energy, Money

NOTHING = (0, 0)


class ReadingKeyResponse(BaseModel):
    """A reading as the meter gateway keeps it: by installation and time."""

    installation_id: int = Field(examples=[3])
    taken_at: datetime
    register_value: Energy

    @classmethod
    def of(cls, installation_id: int, at: datetime, register_wh: int) -> Self:
        return cls(
            installation_id=installation_id, taken_at=at, register_value=Energy.of(register_wh)
        )


class PlanNamedResponse(BaseModel):
    plan_version_id: int
    plan_code: str | None = Field(examples=["household"])
    plan_version: int | None
    href: str | None = Field(
        description="of the tariff service", examples=["/v1/plans/household/versions/3"]
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        known = row.plan_code is not None
        return cls(
            plan_version_id=row.plan_version_id,
            plan_code=row.plan_code,
            plan_version=row.version,
            href=f"/v1/plans/{row.plan_code}/versions/{row.version}" if known else None,
        )


class CountedResponse(BaseModel):
    """How much was used and charged of a line until then, since the first reading of the month."""

    energy: Energy
    amount: Money

    @classmethod
    def of(cls, amounts: tuple[int, int], currency: str) -> Self:
        return cls(energy=Energy.of(amounts[0]), amount=Money.of(amounts[1], currency))


class LineWhyResponse(BaseModel):
    """A line of a charge: `amount` is what `after` costs more than `before`."""

    component: str = Field(examples=["energy"])
    period: str = Field(examples=["peak"])
    block: int = Field(examples=[1])
    energy: Energy
    amount: Money
    price: Money | None = Field(
        description="per kWh (m³ of water or gas), where only one price gives these amounts"
    )
    before: CountedResponse
    after: CountedResponse

    @classmethod
    def of(cls, story: PostingStory, key: LineKey, amounts: tuple[int, int]) -> Self:
        currency, after = story.currency, story.after[key]
        price = None
        if key[0] == "energy":
            price = price_that_follows(*after, roundings=story.roundings)
        return cls(
            component=key[0],
            period=key[1],
            block=key[2],
            energy=Energy.of(amounts[0]),
            amount=Money.of(amounts[1], currency),
            price=None if price is None else Money.of(price, currency),
            before=CountedResponse.of(story.before.get(key, NOTHING), currency),
            after=CountedResponse.of(after, currency),
        )


class ChargeWhyResponse(BaseModel):
    """Two readings and the plan between them. The charge is `cost_after` − `cost_before`."""

    reading_from: ReadingKeyResponse
    reading_to: ReadingKeyResponse
    energy: Energy
    plan: PlanNamedResponse
    amount: Money
    tax: Money = Field(description="contained in the amount")
    lines: list[LineWhyResponse]
    counted_from: ReadingKeyResponse = Field(
        description="where counting begins for this month and plan"
    )
    cost_before: Money
    cost_after: Money
    rounding: str = Field(examples=["Each line is a difference of two cumulative costs …"])
    rating: str = Field(
        description="the tariff service's part: prices, and the position in the blocks",
        examples=["/v1/installations/3/why?from=2026-03-04T12%3A00%3A00%2B00%3A00"],
    )

    @classmethod
    def of(cls, story: PostingStory) -> Self:
        row, currency = story.row, story.currency
        start = story.counted_from
        return cls(
            reading_from=ReadingKeyResponse.of(
                row.installation_id, row.from_at, row.from_register_wh
            ),
            reading_to=ReadingKeyResponse.of(row.installation_id, row.to_at, row.to_register_wh),
            energy=Energy.of(row.energy_wh),
            plan=PlanNamedResponse.of(row),
            amount=Money.of(-row.amount_micro, currency),
            tax=Money.of(row.tax_micro, currency),
            lines=_lines(story),
            counted_from=ReadingKeyResponse.of(
                row.installation_id,
                start.from_at if start else row.from_at,
                start.from_register_wh if start else row.from_register_wh,
            ),
            cost_before=Money.of(sum(micro for _, micro in story.before.values()), currency),
            cost_after=Money.of(sum(micro for _, micro in story.after.values()), currency),
            rounding=ROUNDING,
            rating=_rating(row),
        )


class PostingWhyResponse(BaseModel):
    """Why a posting is as it is; `charge` or `adjustment` says what was charged."""

    account_id: int
    seq: int
    posted_at: datetime
    kind: str = Field(examples=["charge"])
    bucket: str = Field(examples=["balance"])
    amount: Money = Field(description="positive in the customer's favour")
    before: Money = Field(description="what the bucket held before")
    after: Money
    because: str = Field(examples=["1.000 kWh used between two readings, by plan household v3"])
    charge: ChargeWhyResponse | None
    adjustment: AdjustmentResponse | None
    payment: PaymentResponse | None
    label: str | None = Field(description="what debt, grant or charge of a top-up it touches")
    see: str | None = Field(description="what explains more", examples=["/v1/payments/…/why"])

    @classmethod
    def of(cls, story: PostingStory) -> Self:
        row, currency = story.row, story.currency
        entry = PostingResponse.of(row, currency)
        return cls(
            account_id=row.account_id,
            seq=row.seq,
            posted_at=row.posted_at,
            kind=row.kind,
            bucket=row.bucket,
            amount=entry.amount,
            before=Money.of(row.after_micro - row.amount_micro, currency),
            after=entry.after,
            because=_because(row),
            charge=ChargeWhyResponse.of(story) if row.kind == "charge" else None,
            adjustment=entry.adjustment,
            payment=entry.payment,
            label=row.label,
            see=None if row.payment_id is None else f"/v1/payments/{row.payment_id}/why",
        )


ROUNDING = (
    "Each line is the difference of two cumulative costs, each rounded down once to a millionth; "
    "so how the energy was cut into readings changes nothing."
)


_KINDS = {
    "opening": "taken over when the account was opened",
    "top_up": "a part of a payment",
    "emergency_lent": "lent as emergency credit to keep the balance at its floor",
    "reversal": "a payment was taken back",
    "vend_charge": "a charge that the month's first top-up pays",
    "debt_charge": "a debt's instalment that had come due",
    "granted": "credit that was granted",
    "grant_drawn": "granted credit used for what was charged",
    "grant_expired": "granted credit whose time was over",
    "money_fix": "put right by a person; the audit trail says by whom and why",
    "transfer": "moved between accounts by a person; the audit trail says by whom and why",
    "refund": "paid out to the customer",
    "chargeback": "taken back by the payer's bank",
    "write_off": "given up by a person",
}


def _because(row: Row[Any]) -> str:
    if row.kind == "charge":
        used = Energy.of(row.energy_wh).value
        return f"{used} kWh used between two readings, by {_plan_words(row)}"
    if row.adjustment_id is not None:
        return f"{row.kind}: {row.reason}"
    kind: str = row.kind
    return _KINDS.get(kind, kind)


def _plan_words(row: Row[Any]) -> str:
    if row.plan_code is None:
        return f"plan version {row.plan_version_id}"
    return f"plan {row.plan_code} v{row.version}"


def _rating(row: Row[Any]) -> str:
    span = {"from": row.from_at.isoformat(), "to": row.to_at.isoformat()}
    return f"/v1/installations/{row.installation_id}/why?{urlencode(span)}"


def _lines(story: PostingStory) -> list[LineWhyResponse]:
    charged: dict[LineKey, tuple[int, int]] = {}
    for component, period, block, energy_wh, amount_micro in orjson.loads(story.row.lines):
        was_wh, was_micro = charged.get((component, period, block), NOTHING)
        charged[component, period, block] = was_wh + energy_wh, was_micro + amount_micro
    return [LineWhyResponse.of(story, key, amounts) for key, amounts in charged.items()]
