"""Faults from a file: which, whose, when and how often; the same at every run of one seed."""

from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npms_tools.stack.errors import StackError
from npms_tools.street.faults import GATEWAY_FAULTS, ONE_TIME_FAULTS, REQUEST_FAULTS

Kind = Literal[
    "silent", "late", "drop_ack", "exception", "wrong_unit", "wrong_transaction", "short",
    "close", "reset", "partial", "split", "glued", "corrupt", "stuck_relay",
    "spike", "jitter", "nan", "frozen",
    "welded",
    "cleared", "near_rollover", "clock_drift", "hand",
    "gateway_refuses", "gateway_mute",
]  # fmt: skip
Share = Annotated[float, Field(ge=0, le=1)]
WHOLE = 1 << 32


def lot(words: str) -> int:
    """A number below WHOLE, the same for the same words and like chance otherwise."""
    return int.from_bytes(blake2b(words.encode(), digest_size=4).digest(), "big")


class Rule(BaseModel):
    """One fault of a plan; seconds count from the street's start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Kind
    share: Share = Field(default=1, description="of the meters, or of the gateways")
    meters: tuple[str, ...] | None = Field(default=None, description="serials, instead of a share")
    profiles: tuple[str, ...] | None = Field(default=None, description="only meters of these")
    chance: Share = Field(default=1, description="at each request that it could spoil")
    count: int | None = Field(default=None, ge=1, description="at most so often to one meter")
    after_s: float = Field(default=0, ge=0, description="not before")
    until_s: float | None = Field(default=None, gt=0, description="not after")
    every_s: float | None = Field(default=None, gt=0, description="comes again after so long")
    for_s: float | None = Field(default=None, gt=0, description="and lasts so long each time")
    delay_ms: int = Field(default=500, ge=0, description="of `late`")
    code: int = Field(default=4, ge=1, le=255, description="of `exception`")
    by_wh: int = Field(default=9_113_000, ge=1, description="of `spike` and `near_rollover`")
    by_s: int = Field(default=400, description="of `clock_drift`: seconds fast, or slow below 0")
    state: Literal["on", "off"] = Field(default="on", description="of `hand`")

    @model_validator(mode="after")
    def _has_a_sense(self) -> Self:
        if self.for_s is not None and (self.every_s is None or self.for_s > self.every_s):
            raise ValueError("for_s needs every_s, and is not longer")
        if self.until_s is not None and self.until_s <= self.after_s:
            raise ValueError("until_s lies before after_s")
        lasts = self.until_s is not None or self.for_s is not None
        if self.fault in GATEWAY_FAULTS and not lasts:
            raise ValueError(f"{self.fault} never ends without until_s, or every_s and for_s")
        if self.fault in GATEWAY_FAULTS and (self.meters or self.profiles):
            raise ValueError(f"{self.fault} is a gateway's: give a share")
        return self


class FaultPlan(BaseModel):
    """A file of faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    faults: tuple[Rule, ...] = ()


def load_plan(file: Path) -> FaultPlan:
    """The plan of a file; StackError with each place that is wrong."""
    try:
        return FaultPlan.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise StackError(f"{file}: {fault}", advice="docs/street.md shows a plan") from None
    except ValidationError as fault:
        places = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors()
        )
        raise StackError(f"{file}: {places}", advice="docs/street.md shows a plan") from None


@dataclass(slots=True)
class Armed:
    """A rule as it stands over one meter or gateway; times are seconds since the street began."""

    rule: Rule
    key: str
    asked: int = 0
    struck: int = 0
    phase_s: float = field(init=False)

    def __post_init__(self) -> None:
        every_s = self.rule.every_s or 0
        self.phase_s = every_s * lot(f"phase/{self.key}") / WHOLE

    def is_on(self, at_s: float) -> bool:
        """Whether its time is now; what repeats does so at moments of its own for each subject."""
        rule = self.rule
        if at_s < rule.after_s or (rule.until_s is not None and at_s >= rule.until_s):
            return False
        if rule.every_s is None or rule.for_s is None:
            return True
        return (at_s - rule.after_s + self.phase_s) % rule.every_s < rule.for_s

    def strikes(self, at_s: float) -> bool:
        """Whether it spoils this request."""
        rule = self.rule
        if (rule.count is not None and self.struck >= rule.count) or not self.is_on(at_s):
            return False
        self.asked += 1
        if lot(f"{self.key}/{self.asked}") >= rule.chance * WHOLE:
            return False
        self.struck += 1
        return True


class Book:
    """The rules over one meter: those decided at requests by kind, and the others."""

    __slots__ = ("at_requests", "began_s", "others")

    def __init__(self) -> None:
        self.at_requests: dict[str, list[Armed]] = {}
        self.others: list[Armed] = []
        self.began_s = 0.0

    def add(self, one: Armed) -> None:
        if one.rule.fault in REQUEST_FAULTS:
            self.at_requests.setdefault(one.rule.fault, []).append(one)
        else:
            self.others.append(one)

    def strikes(self, kind: str, at_s: float) -> Rule | None:
        """The rule that strikes at a business time in epoch seconds."""
        for one in self.at_requests.get(kind, ()):
            if one.strikes(at_s - self.began_s):
                return one.rule
        return None

    def clear(self) -> None:
        self.at_requests.clear()
        self.others.clear()


def concerns(rule: Rule, *, seed: int, number: int, serial: str, profile: str) -> bool:
    """Whether rule `number` of a plan stands over this meter."""
    if rule.fault in GATEWAY_FAULTS:
        return False
    if rule.profiles is not None and profile not in rule.profiles:
        return False
    if rule.meters is not None:
        return serial in rule.meters
    return is_drawn(rule, seed=seed, number=number, subject=serial)


def is_drawn(rule: Rule, *, seed: int, number: int, subject: str) -> bool:
    """Whether the lot falls on this meter or gateway."""
    return lot(f"lot/{seed}/{number}/{subject}") < rule.share * WHOLE


def arm(rule: Rule, *, seed: int, number: int, subject: str) -> Armed:
    return Armed(rule, f"{seed}/{number}/{subject}")


def is_one_time(rule: Rule) -> bool:
    return rule.fault in ONE_TIME_FAULTS


def schema() -> dict[str, Any]:
    """The JSON Schema of a plan."""
    return FaultPlan.model_json_schema()
