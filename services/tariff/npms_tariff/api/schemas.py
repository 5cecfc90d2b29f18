"""Requests and answers of the REST interface."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from npms_shared.web.schemas import Currency, Energy, Instant, Line, Money, Schema
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.records import ParkedReading, Plan, PlanDraft, PlanVersion, Resolution
from npms_tariff.handlers.draft_plan import Draft
from npms_tariff.handlers.report_usage import UsageItem, UsageReport

PLAN_CODE = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
VALID_FROM = "with an offset; rates readings from this instant on, none that were rated before"

VERSION_EXAMPLE: JsonDict = {
    "valid_from": "2026-01-01T00:00:00+03:00",
    "document": {
        "energy": {"periods": [{"name": "all", "blocks": [{"price": "24.500000"}]}]},
        "fixed": [{"name": "standing", "amount": "5.000000", "per": "day"}],
        "taxes": [{"name": "vat", "rate_ppm": 160_000, "on": ["energy", "standing"]}],
    },
}
PLAN_EXAMPLE: JsonDict = {
    "plan_code": "household",
    "name": "Household",
    "commodity": "electricity",
    "currency": "KES",
    **VERSION_EXAMPLE,
}


class VersionRequest(Schema):
    """What a version of a plan is to be."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [VERSION_EXAMPLE]})

    valid_from: Instant = Field(description=VALID_FROM)
    document: PlanDocument

    def draft(self) -> Draft:
        return Draft(self.valid_from.astimezone(UTC).replace(microsecond=0), self.document)


class PlanRequest(VersionRequest):
    """A plan with a draft of its first version."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PLAN_EXAMPLE]})

    plan_code: str = Field(pattern=PLAN_CODE, examples=["household"])
    name: Line
    commodity: str = Field(default="electricity", pattern=r"^[a-z]{1,30}$")
    currency: Currency = Field(examples=["KES"])


class PlanResponse(BaseModel):
    plan_code: str = Field(examples=["household"])
    name: str
    commodity: str
    currency: str
    created_at: datetime

    @classmethod
    def of(cls, plan: Plan) -> "PlanResponse":
        return cls(
            plan_code=plan.plan_code,
            name=plan.name,
            commodity=plan.commodity,
            currency=plan.currency,
            created_at=plan.created_at,
        )


class VersionResponse(BaseModel):
    """A version as it was activated, which never changes, or a draft of one."""

    plan_code: str
    version: int = Field(examples=[1])
    state: Literal["draft", "withdrawn", "activated"]
    plan_version_id: int | None = Field(description="as charges name it; null before activation")
    valid_from: datetime
    created_at: datetime | None
    created_by: str | None = Field(description="who wrote it", examples=["amina"])
    activated_at: datetime | None = None
    activated_by: str | None = Field(None, description="somebody else", examples=["baraka"])
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
    checksum: str = Field(description="SHA-256 of the document's canonical JSON")
    document: PlanDocument

    @classmethod
    def of(cls, shown: PlanVersion | PlanDraft) -> "VersionResponse":
        if isinstance(shown, PlanVersion):
            return cls(
                state="activated",
                plan_version_id=shown.plan_version_id,
                activated_at=shown.activated_at,
                activated_by=shown.activated_by,
                **_drafted(shown),
            )
        return cls(
            state="draft" if shown.withdrawn_at is None else "withdrawn",
            plan_version_id=None,
            withdrawn_at=shown.withdrawn_at,
            withdrawn_by=shown.withdrawn_by,
            **_drafted(shown),
        )


def _drafted(shown: PlanVersion | PlanDraft) -> dict[str, Any]:
    """What a draft says, and a version after it."""
    names = ("plan_code", "version", "valid_from", "created_at", "created_by", "checksum")
    values: dict[str, Any] = {name: getattr(shown, name) for name in names}
    return {**values, "document": PlanDocument.model_validate(shown.document)}


class UsageItemResponse(BaseModel):
    """[from, to), in the account's local time."""

    model_config = ConfigDict(serialize_by_alias=True)

    begins: datetime = Field(serialization_alias="from", examples=["2026-11-02T08:00:00+03:00"])
    ends: datetime = Field(serialization_alias="to", examples=["2026-11-02T09:00:00+03:00"])
    commodity: str = Field(examples=["electricity"])
    energy: Energy
    cost: Money
    open: bool = Field(description="not over for some installation: more may come")

    @classmethod
    def of(cls, item: UsageItem) -> "UsageItemResponse":
        return cls(
            begins=item.begins,
            ends=item.ends,
            commodity=item.commodity,
            energy=Energy.of(item.energy_wh),
            cost=Money.of(item.amount_micro, item.currency),
            open=item.open,
        )


class UsageResponse(BaseModel):
    """Stretches in which nothing was used or charged are left out."""

    account_id: int
    time_zone: str = Field(examples=["Africa/Nairobi"])
    resolution: Resolution
    items: list[UsageItemResponse]

    @classmethod
    def of(cls, report: UsageReport) -> "UsageResponse":
        return cls(
            account_id=report.account_id,
            time_zone=report.time_zone,
            resolution=report.resolution,
            items=[UsageItemResponse.of(item) for item in report.items],
        )


class ParkedReadingResponse(BaseModel):
    """A reading that was not rated. Its energy is: with the next good reading."""

    parked_reading_id: int
    installation_id: int
    account_id: int
    taken_at: datetime
    register_value: Energy
    reason: str = Field(examples=["register_backwards"])
    parked_at: datetime

    @classmethod
    def of(cls, parked: ParkedReading) -> "ParkedReadingResponse":
        return cls(
            parked_reading_id=parked.parked_reading_id,
            installation_id=parked.installation_id,
            account_id=parked.account_id,
            taken_at=datetime.fromtimestamp(parked.taken_at_s, UTC),
            register_value=Energy.of(parked.register_wh),
            reason=parked.reason,
            parked_at=parked.parked_at,
        )
