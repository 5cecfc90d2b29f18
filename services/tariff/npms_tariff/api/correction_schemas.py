"""Corrections on REST."""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from npms_shared.web.problems import FieldError, Problem
from npms_shared.web.schemas import MAX_ID, Energy, Instant, Line, Money, Schema
from npms_tariff.api.schemas import PLAN_CODE
from npms_tariff.domain.records import Correction, CorrectionItem, CorrectionState
from npms_tariff.handlers.correct import (
    CorrectionCommand,
    InstallationCorrection,
    PlanCorrection,
)

DAY_S = 86_400
NEEDED = {
    "plan": ("plan_code", "version"),
    "readings": ("installation_id", "begins", "ends", "registers"),
    "clock": ("installation_id", "begins", "ends", "shift_s"),
}
NAMES = {"begins": "from", "ends": "to"}

PLAN_EXAMPLE: JsonDict = {
    "kind": "plan",
    "plan_code": "household",
    "version": 3,
    "reason": "The regulator's price holds from 1 October",
}
READINGS_EXAMPLE: JsonDict = {
    "kind": "readings",
    "installation_id": 1,
    "from": "2026-11-02T08:00:00+03:00",
    "to": "2026-11-03T08:00:00+03:00",
    "registers": [{"at": "2026-11-02T20:00:00+03:00", "register": {"value": "1012.500"}}],
    "reason": "Read on site",
}
CLOCK_EXAMPLE: JsonDict = {
    "kind": "clock",
    "installation_id": 1,
    "from": "2026-11-02T00:00:00+03:00",
    "to": "2026-11-09T00:00:00+03:00",
    "shift_s": 3600,
    "reason": "The meter's clock was an hour slow",
}


class RegisterRequest(Schema):
    """What the register was at a moment."""

    at: Instant = Field(examples=["2026-11-02T20:00:00+03:00"])
    register_value: Energy = Field(alias="register")


class CorrectionRequest(Schema):
    """What was rated wrongly: by a plan version dated back; by wrong registers; by a wrong clock.

    A span is of whole local hours; the registers at its both ends stand. `shift_s` is how slow
    the clock was: what was read at 10:00 was of 11:00 with 3600.
    """

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        json_schema_extra={"examples": [PLAN_EXAMPLE, READINGS_EXAMPLE, CLOCK_EXAMPLE]},
    )

    kind: Literal["plan", "readings", "clock"]
    reason: Line = Field(description="told to the customers", examples=["Read on site"])
    plan_code: str | None = Field(default=None, pattern=PLAN_CODE)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    installation_id: int | None = Field(default=None, ge=1, le=MAX_ID)
    begins: Instant | None = Field(default=None, alias="from")
    ends: Instant | None = Field(default=None, alias="to")
    registers: list[RegisterRequest] = Field(default=[], max_length=1000)
    shift_s: int = Field(default=0, ge=-DAY_S, le=DAY_S)

    def to_command(self) -> CorrectionCommand:
        """Raises Problem 422 for what is missing, or is of another kind."""
        self._check()
        if self.kind == "plan":
            assert self.plan_code is not None
            assert self.version is not None
            return PlanCorrection(self.plan_code, self.version, self.reason)
        assert self.installation_id is not None
        assert self.begins is not None
        assert self.ends is not None
        request = {
            "from_s": int(self.begins.timestamp()),
            "to_s": int(self.ends.timestamp()),
            "registers": [[int(r.at.timestamp()), r.register_value.wh] for r in self.registers],
            "shift_s": self.shift_s,
        }
        return InstallationCorrection(self.kind, self.installation_id, request, self.reason)

    def _check(self) -> None:
        wanted = NEEDED[self.kind]
        errors = [
            FieldError(
                pointer=f"/{NAMES.get(name, name)}",
                code="missing" if name in wanted else "not_of_this_kind",
                message=f"a correction of {self.kind} "
                + ("needs it" if name in wanted else "does not have it"),
            )
            for name in {name for names in NEEDED.values() for name in names}
            if bool(getattr(self, name)) != (name in wanted)
        ]
        if errors:
            detail = "The correction's fields do not fit its kind; see errors."
            errors.sort(key=lambda error: error.pointer)
            raise Problem(422, "invalid_correction", detail, errors=errors)


class CorrectionResponse(BaseModel):
    """`amounts` is what has been posted so far, `corrected` and `refused` count installations."""

    correction_id: UUID
    kind: str
    installation_id: int | None
    request: dict[str, Any]
    reason: str
    state: CorrectionState
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    corrected: int
    refused: int
    amounts: list[Money]
    finished_at: datetime | None

    @classmethod
    def of(cls, correction: Correction, amounts: dict[str, int]) -> "CorrectionResponse":
        return cls(
            correction_id=correction.correction_id,
            kind=correction.kind,
            installation_id=correction.installation_id,
            request=correction.request,
            reason=correction.reason,
            state=correction.state,
            requested_by=correction.requested_by,
            requested_at=correction.requested_at,
            decided_by=correction.decided_by,
            decided_at=correction.decided_at,
            corrected=correction.corrected,
            refused=correction.refused,
            amounts=[Money.of(micro, currency) for currency, micro in sorted(amounts.items())],
            finished_at=correction.finished_at,
        )


class CorrectedMonthResponse(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    month: str = Field(examples=["2026-11"])
    begins: datetime = Field(serialization_alias="from")
    ends: datetime = Field(serialization_alias="to")
    energy: Energy
    amount: Money
    adjustment_id: UUID | None = Field(description="as the ledger's statement names it")

    @classmethod
    def of(cls, month: dict[str, Any], currency: str) -> "CorrectedMonthResponse":
        return cls(
            month=f"{month['month'] // 100}-{month['month'] % 100:02d}",
            begins=datetime.fromtimestamp(month["from_s"], UTC),
            ends=datetime.fromtimestamp(month["to_s"], UTC),
            energy=Energy.of(month["energy_wh"]),
            amount=Money.of(month["amount_micro"], currency),
            adjustment_id=month["adjustment_id"],
        )


class CorrectionItemResponse(BaseModel):
    """An installation of a correction; `refusal` says why nothing was done."""

    installation_id: int
    account_id: int
    amount: Money
    months: list[CorrectedMonthResponse]
    refusal: str | None = Field(examples=["too_far_back"])
    corrected_at: datetime

    @classmethod
    def of(cls, item: CorrectionItem) -> "CorrectionItemResponse":
        return cls(
            installation_id=item.installation_id,
            account_id=item.account_id,
            amount=Money.of(item.amount_micro, item.currency),
            months=[CorrectedMonthResponse.of(month, item.currency) for month in item.months],
            refusal=item.refusal,
            corrected_at=item.corrected_at,
        )
