"""Where time comes from: business time may be scaled for a demonstration, wall time never is."""

import os
import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

VARIABLE = "NPMS_CLOCK"


class Clock(Protocol):
    """`now` dates readings, charges and decisions; `wall_now` dates tokens, signatures, retries."""

    speed: float

    def now(self) -> datetime: ...

    def wall_now(self) -> datetime: ...


def wall_now() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that asks the machine


class SystemClock:
    speed = 1.0

    def now(self) -> datetime:
        return wall_now()

    def wall_now(self) -> datetime:
        return wall_now()


class ScaledClock:
    """Business time: `start` at wall time `anchor`, `speed` times as fast ever since."""

    def __init__(self, *, anchor: datetime, start: datetime, speed: float) -> None:
        self.anchor, self.start, self.speed = anchor, start, speed

    def now(self) -> datetime:
        return self.start + (wall_now() - self.anchor) * self.speed

    def wall_now(self) -> datetime:
        return wall_now()


class ManualClock:
    """A clock that moves only when a test tells it to."""

    speed = 1.0

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def wall_now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


_FORM = re.compile(
    r"anchor=(?P<anchor>[^;]+);start=(?P<start>[^;]+);speed=(?P<speed>[0-9]{1,6}(\.[0-9]{1,6})?)"
)


def clock_from_environment() -> Clock:
    """The system's clock, or a scaled one where NPMS_CLOCK=`anchor=<iso>;start=<iso>;speed=<n>`.

    Raises ValueError, naming the variable, when its form is wrong.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return SystemClock()
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{VARIABLE}: expected anchor=<iso>;start=<iso>;speed=<number>")
    anchor, start = _moment(found["anchor"]), _moment(found["start"])
    speed = float(found["speed"])
    if not speed:
        raise ValueError(f"{VARIABLE}: time that stands still is of no use")
    return ScaledClock(anchor=anchor, start=start, speed=speed)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{VARIABLE}: {text!r} is no ISO time") from None
    if moment.tzinfo is None:
        raise ValueError(f"{VARIABLE}: both times need an offset")
    return moment
