"""Where the money went, on REST."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field

from npms_ledger.handlers.explain import BalanceStory
from npms_shared.web.schemas import Energy, Money


class KindSumResponse(BaseModel):
    kind: str = Field(examples=["charge"])
    entries: int
    amount: Money


class BucketWhyResponse(BaseModel):
    """`opening` + the amounts of all kinds = `closing`, exactly."""

    bucket: str = Field(examples=["balance"])
    opening: Money
    kinds: list[KindSumResponse]
    closing: Money

    @classmethod
    def of(cls, story: BalanceStory, bucket: str) -> Self:
        currency = story.currency
        return cls(
            bucket=bucket,
            opening=Money.of(story.opening[bucket], currency),
            kinds=[
                KindSumResponse(
                    kind=row.kind, entries=row.entries, amount=Money.of(row.amount_micro, currency)
                )
                for row in story.sums
                if row.bucket == bucket
            ],
            closing=Money.of(story.closing[bucket], currency),
        )


class ChargedForResponse(BaseModel):
    """What charges and adjustments were for, summed."""

    component: str = Field(examples=["energy"])
    period: str = Field(examples=["peak"])
    block: int
    energy: Energy
    amount: Money


class BalanceWhyResponse(BaseModel):
    """Where the money went: postings `first_seq` to `last_seq`, none when the latter is less."""

    first_seq: int
    last_seq: int
    buckets: list[BucketWhyResponse]
    charged: list[ChargedForResponse]

    @classmethod
    def of(cls, story: BalanceStory) -> Self:
        currency = story.currency
        return cls(
            first_seq=story.first,
            last_seq=story.before - 1,
            buckets=[
                BucketWhyResponse.of(story, bucket)
                for bucket in _used(story.opening, story.closing, story)
            ],
            charged=[
                ChargedForResponse(
                    component=line.component,
                    period=line.period,
                    block=line.block,
                    energy=Energy.of(line.energy_wh),
                    amount=Money.of(line.amount_micro, currency),
                )
                for line in story.lines
            ],
        )


def _used(opening: Mapping[str, int], closing: Mapping[str, int], story: BalanceStory) -> list[str]:
    """The balance, and every other bucket that held or moved anything."""
    moved = {row.bucket for row in story.sums}
    return [
        bucket
        for bucket in opening
        if bucket == "balance" or opening[bucket] or closing[bucket] or bucket in moved
    ]
