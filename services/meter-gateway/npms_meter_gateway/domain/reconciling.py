"""Working a relay toward the state the ledger desires: what is seen decides, not what was sent."""

from dataclasses import dataclass

from npms_meter_gateway.domain.relay import Seen, State


@dataclass(frozen=True, slots=True)
class Desired:
    state: State
    revision: int
    reason: str
    limit_w: int | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What the meter showed: its relay's state, and the power that flows where it tells it.

    `limit_w` is the most it lets through; None without a limit, or without a register for one.
    """

    relay: Seen
    power_w: int | None = None
    limit_w: int | None = None


@dataclass(frozen=True, slots=True)
class SwitchingPolicy:
    """After `alarm_after` failed attempts a person is told; pauses double up to the longest."""

    alarm_after: int = 3
    first_pause_s: float = 5.0
    longest_pause_s: float = 600.0
    idle_power_w: int = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` as reported to the ledger; `in_place` when nothing is left to do."""

    state: Seen
    verified: bool
    in_place: bool
    detail: str = ""
    limit_w: int | None = None


def judge(desired: Desired, sight: Sight, policy: SwitchingPolicy) -> Finding:
    """Whether what is seen is what is desired, whose limit is one that the meter can hold.

    Of a supply that is off the limit does not matter. An open relay through which power still
    flows is not believed: a welded contact reads "off" and supplies on.
    """
    if sight.relay == "unknown":
        return Finding("unknown", verified=False, in_place=False, detail="relay state not readable")
    flows = sight.power_w is not None and abs(sight.power_w) > policy.idle_power_w
    if sight.relay == "off" and flows:
        return Finding(
            "off", verified=False, in_place=False, detail=f"{sight.power_w} W flow, relay reads off"
        )
    is_limited = sight.limit_w == desired.limit_w or desired.state == "off"
    return Finding(
        sight.relay,
        verified=True,
        in_place=sight.relay == desired.state and is_limited,
        detail="" if is_limited else f"load limit reads {_watts(sight.limit_w)}",
        limit_w=sight.limit_w,
    )


def _watts(limit_w: int | None) -> str:
    return "none" if limit_w is None else f"{limit_w} W"


def must_limit(desired: Desired, before: Finding) -> bool:
    """Whether an attempt writes the load limit: before the relay, so that nothing flows unlimited
    meanwhile.
    """
    return desired.state == "on" and before.limit_w != desired.limit_w


def must_write(desired: Desired, before: Finding, attempts: int, policy: SwitchingPolicy) -> bool:
    """Whether an attempt sends a command, after it has read the meter.

    A relay that already reads as desired but is not believed is pulsed a
    bounded number of times, never for ever.
    """
    if before.in_place:
        return False
    if before.verified:
        return before.state != desired.state
    return before.state != desired.state or attempts < policy.alarm_after


def pause_s(attempts: int, policy: SwitchingPolicy) -> float:
    """How long to leave a meter alone after its n-th failed attempt (n from 1)."""
    return min(policy.first_pause_s * 2.0 ** min(attempts - 1, 30), policy.longest_pause_s)
