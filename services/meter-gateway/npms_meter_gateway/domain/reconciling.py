"""Working a relay toward the state the ledger desires: what is seen decides, not what was sent."""

from dataclasses import dataclass
from typing import Literal

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.relay import Relay, Seen, State

Awaits = Literal["", "customer", "power", "link"]
"""What is still to come when we have done our part: a press on the meter's button, or power that
proves that a relay without a state register is closed, or a link to the meter.
"""
Obstacle = Literal["", "suspect", "no_relay", "pushed", "moved", "stopped"]
"""Why a supply is not worked at all: another meter answers than the one installed, it has no
relay that can be moved from afar, it sends its readings and cannot be reached, somebody moved its
relay by hand, or the gateway opens no more.
"""
Moved = Literal["report", "reopen", "restore"]
"""What follows when somebody else moved a relay, who may stand at it still: it is told and left as
found, only opened again but never closed, or brought back.
"""


@dataclass(frozen=True, slots=True)
class Desired:
    state: State
    revision: int
    reason: str
    limit_w: int | None = None


@dataclass(frozen=True, slots=True)
class OpeningCap:
    """Most supplies that all workers together open within `window_s` real seconds."""

    supplies: int = 1000
    window_s: int = 3600


@dataclass(frozen=True, slots=True)
class SwitchingPolicy:
    """After `alarm_after` failed attempts a person is told; pauses double up to the longest."""

    alarm_after: int = 3
    first_pause_s: float = 5.0
    longest_pause_s: float = 600.0
    idle_power_w: int = 30
    armed_look_s: float = 60.0
    moved: Moved = "report"
    cap: OpeningCap = OpeningCap()

    def restores(self, desired: State) -> bool:
        """Whether a relay that somebody moved is moved back to this state."""
        return self.moved == "restore" or (self.moved == "reopen" and desired == "off")


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` as reported to the ledger; `in_place` when nothing is left for us to do.

    `welded`: the contact cannot be believed to open.
    """

    state: Seen
    verified: bool
    in_place: bool
    detail: str = ""
    limit_w: int | None = None
    awaits: Awaits = ""
    welded: bool = False
    blocked_by: Obstacle = ""


def judge(
    desired: Desired,
    answer: MeterAnswer,
    policy: SwitchingPolicy,
    *,
    relay: Relay | None = None,
    commanded: bool = False,
) -> Finding:
    """Whether what is seen is what is desired, whose limit is one that the meter can hold.

    `commanded`: a command for this very revision was acknowledged. Of a supply that is off the
    limit does not matter. An open relay through which power still flows is not believed: a welded
    contact reads "off" and supplies on.
    """
    if answer.relay is None:
        return _judge_by_power(desired, answer, policy, commanded=commanded)
    if answer.relay == "unknown":
        return Finding("unknown", verified=False, in_place=False, detail="relay state not readable")
    if answer.relay == "off" and _flows(answer, policy):
        detail = f"{answer.power_w} W flow, relay reads off"
        return Finding("off", verified=False, in_place=False, detail=detail, welded=True)
    if answer.relay_fault and desired.state == "off":
        detail = f"the meter says that its relay cannot open; it reads {answer.relay}"
        return Finding(answer.relay, verified=False, in_place=False, detail=detail, welded=True)
    if desired.state == "on" and answer.relay == "off" and _is_armed(answer, relay, commanded):
        detail = "the customer has to close it on the meter"
        return Finding("off", verified=True, in_place=False, detail=detail, awaits="customer")
    return _judge_by_state(desired, answer, answer.relay)


def _judge_by_state(desired: Desired, answer: MeterAnswer, seen: State) -> Finding:
    is_limited = answer.limit_w == desired.limit_w or desired.state == "off"
    return Finding(
        seen,
        verified=True,
        in_place=seen == desired.state and is_limited,
        detail="" if is_limited else f"load limit reads {_watts(answer.limit_w)}",
        limit_w=answer.limit_w,
    )


def _judge_by_power(
    desired: Desired, answer: MeterAnswer, policy: SwitchingPolicy, *, commanded: bool
) -> Finding:
    """Power that flows proves "on". No power proves nothing by itself: after a command to open it
    is the evidence that there is; after one to close, that is still to come.
    """
    if answer.power_w is None:
        return Finding("unknown", verified=False, in_place=False, detail="power not readable")
    if _flows(answer, policy):
        return Finding("on", verified=True, in_place=desired.state == "on")
    if not commanded:
        detail = "no power flows, and nothing else tells of the relay"
        return Finding("unknown", verified=False, in_place=False, detail=detail)
    if desired.state == "off":
        return Finding("off", verified=True, in_place=True, detail="no power flows any more")
    detail = "acknowledged; no power flows that would prove it"
    return Finding("unknown", verified=False, in_place=True, detail=detail, awaits="power")


def _flows(answer: MeterAnswer, policy: SwitchingPolicy) -> bool:
    power_w = answer.power_w
    return power_w is not None and abs(power_w) > policy.idle_power_w


def _is_armed(answer: MeterAnswer, relay: Relay | None, commanded: bool) -> bool:  # noqa: FBT001
    """Said by the meter; or, where it cannot say so, of its kind once it was told to close."""
    if answer.armed:
        return True
    if relay is None or not relay.local_reclose:
        return False
    says_so = relay.read_back is not None and relay.read_back.armed is not None
    return not relay.is_commanded or (commanded and not says_so)


def _watts(limit_w: int | None) -> str:
    return "none" if limit_w is None else f"{limit_w} W"


def must_limit(desired: Desired, before: Finding) -> bool:
    """Whether an attempt writes the load limit: before the relay, so that nothing flows unlimited
    meanwhile.
    """
    return desired.state == "on" and before.limit_w != desired.limit_w


def must_write(desired: Desired, before: Finding, attempts: int, policy: SwitchingPolicy) -> bool:
    """Whether an attempt sends a command, after it has read the meter.

    A relay that plainly reads otherwise is told again as often as it takes, ever more rarely. One
    that cannot be read or is not believed is pulsed a bounded number of times, never for ever; one
    that waits for its customer not again at all.
    """
    if before.in_place or before.awaits == "customer":
        return False
    if before.verified:
        return before.state != desired.state
    return attempts < policy.alarm_after


def pause_s(attempts: int, policy: SwitchingPolicy) -> float:
    """How long to leave a meter alone after its n-th failed attempt (n from 1)."""
    return min(policy.first_pause_s * 2.0 ** min(attempts - 1, 30), policy.longest_pause_s)
