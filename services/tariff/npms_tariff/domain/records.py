"""What is on record of plans, usage and readings kept aside."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Resolution = Literal["hour", "day", "month"]


@dataclass(frozen=True, slots=True)
class Plan:
    plan_code: str
    name: str
    commodity: str
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PlanVersion:
    """In force from `valid_from` until another version of the plan takes over.

    Versions of before there were drafts have nobody who wrote them.
    """

    plan_version_id: int
    plan_code: str
    version: int
    valid_from: datetime
    document: dict[str, Any]
    checksum: str
    created_at: datetime | None
    created_by: str | None
    activated_at: datetime
    activated_by: str


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A version to be: it rates nothing until somebody else than its author activates it."""

    plan_code: str
    version: int
    valid_from: datetime
    document: dict[str, Any]
    checksum: str
    created_at: datetime
    created_by: str
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of a commodity in an hour, local day or local month.

    `at` is its first second, or the month as yyyymm; where it is `open` more may come.
    """

    at: int
    commodity: str
    currency: str
    energy_wh: int
    amount_micro: int
    open: bool


@dataclass(frozen=True, slots=True)
class PlanUse:
    """What all installations of a plan version used in an hour, local day or local month.

    `at` is the hour's first second, the day as yyyymmdd or the month as yyyymm.
    """

    at: int
    version: int
    installation_hours: int
    energy_wh: int
    amount_micro: int


CorrectionKind = Literal["plan", "readings", "clock"]
CorrectionState = Literal["requested", "rejected", "approved", "done"]


@dataclass(frozen=True, slots=True)
class Correction:
    """Asked for by one, decided by another, then worked off.

    `request` is as it was asked for. `reached_id` is the last installation done;
    `corrected` and `refused` count them.
    """

    correction_id: UUID
    kind: CorrectionKind
    plan_version_id: int | None
    installation_id: int | None
    request: dict[str, Any]
    reason: str
    state: CorrectionState
    requested_by: str
    requested_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reached_id: int = 0
    corrected: int = 0
    refused: int = 0
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CorrectionItem:
    """What a correction did to an installation: `months` with their adjustments, `before` what
    state, scopes and hours were; or why it was refused."""

    correction_id: UUID
    installation_id: int
    account_id: int
    currency: str
    amount_micro: int
    months: list[dict[str, Any]]
    before: dict[str, Any]
    refusal: str | None
    corrected_at: datetime


@dataclass(frozen=True, slots=True)
class BillingHold:
    """A reading below `last_wh`, and who has released what it stopped."""

    billing_hold_id: int
    installation_id: int
    account_id: int
    taken_at_s: int
    register_wh: int
    last_wh: int
    held_at: datetime
    released_at: datetime | None
    released_by: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class ParkedReading:
    parked_reading_id: int
    installation_id: int
    account_id: int
    taken_at_s: int
    register_wh: int
    reason: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class EndedRating:
    """Where rating of a closed installation ended."""

    installation_id: int
    account_id: int
    currency: str
    register_wh: int
    read_at_s: int
