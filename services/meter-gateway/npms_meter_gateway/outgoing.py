"""From what happened here to what is told on the broker."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from npms_meter_gateway.domain.addressing import SERIAL_PATTERNS
from npms_meter_gateway.domain.event_kinds import severity_of
from npms_meter_gateway.domain.held import Moment
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reconciling import Finding
from npms_meter_gateway.domain.supplies import Supply
from npms_meter_gateway.domain.validation import Columns, RegisterState
from npms_shared.contracts.meter_gateway import (
    HoldLift,
    MeterEventCleared,
    MeterEventRaised,
    ProfilePublished,
    ReadingsBatch,
    RegisterFell,
    SupplyReported,
)

READINGS_PER_MESSAGE = 500


def readings_batches(columns: Columns, lifts: Sequence[HoldLift] = ()) -> Iterator[ReadingsBatch]:
    """A partition's accepted readings as messages of a bounded size, in order; `lifts` in the
    first."""
    for start in range(0, max(1, len(columns[0])), READINGS_PER_MESSAGE):
        part = slice(start, start + READINGS_PER_MESSAGE)
        yield ReadingsBatch.model_construct(
            installation_id=columns[0][part],
            account_id=columns[1][part],
            taken_at_s=columns[2][part],
            register_wh=columns[3][part],
            lifts=tuple(lifts) if not start else (),
        )


def profile_published(profile: Profile) -> ProfilePublished:
    return ProfilePublished(
        profile=profile.code,
        vendor=profile.vendor,
        model=profile.model,
        has_relay=profile.is_switched,
        can_limit=profile.load_limit is not None,
        serial_pattern=SERIAL_PATTERNS[profile.driver],
    )


def supply_reported(supply: Supply, finding: Finding, *, at: datetime) -> SupplyReported:
    return SupplyReported(
        installation_id=supply.installation_id,
        account_id=supply.account_id,
        state=finding.state,
        desired_revision=supply.desired.revision,
        desired_state=supply.desired.state,
        verified=finding.verified,
        observed_at=at,
        detail=finding.detail,
        limit_w=finding.limit_w,
        awaits=finding.awaits,
        blocked_by=finding.blocked_by,
    )


def hold_lift(
    installation_id: int, last: Moment, *, before: Moment, by: str, note: str
) -> HoldLift:
    """From the `last` register that fell on billing may go on, after the accepted one `before`."""
    return HoldLift(
        installation_id=installation_id,
        taken_at_s=last[0],
        register_wh=last[1],
        last_register_wh=before[1],
        by=by,
        note=note,
    )


def register_fell(state: RegisterState, at_s: int, register_wh: int) -> RegisterFell:
    return RegisterFell(
        installation_id=state.installation_id,
        account_id=state.account_id,
        taken_at=datetime.fromtimestamp(at_s, UTC),
        register_wh=register_wh,
        last_register_wh=state.register_wh,
    )


def meter_event(
    installation_id: int, account_id: int, *, kind: str, detail: str, at: datetime
) -> MeterEventRaised:
    return MeterEventRaised(
        installation_id=installation_id,
        account_id=account_id,
        kind=kind,
        detail=detail,
        raised_at=at,
        severity=severity_of(kind),
    )


def meter_event_cleared(
    installation_id: int,
    account_id: int,
    *,
    kind: str,
    detail: str,
    raised_at: datetime,
    cleared_at: datetime,
) -> MeterEventCleared:
    return MeterEventCleared(
        installation_id=installation_id,
        account_id=account_id,
        kind=kind,
        detail=detail,
        raised_at=raised_at,
        cleared_at=cleared_at,
    )
