"""How fast supplies may return: load that returns all at once trips what has just come back."""

from dataclasses import dataclass, field

BURST_S = 5.0


@dataclass(slots=True)
class Bucket:
    """Lets `per_minute` through, and at once what that is in five seconds, at least one."""

    per_minute: float
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.most

    @property
    def most(self) -> float:
        return max(self.per_minute * BURST_S / 60, 1.0)

    def room(self, now: float) -> float:
        """What may pass at `now` (seconds of any steady clock)."""
        self.tokens = min(self.tokens + (now - self.at) * self.per_minute / 60, self.most)
        self.at = now
        return self.tokens

    def take(self) -> None:
        self.tokens -= 1

    def give_back(self) -> None:
        self.tokens = min(self.tokens + 1, self.most)


class Pace:
    """Reconnections a minute: at each place (a site, or else a gateway) and in all."""

    def __init__(self, per_place: float, in_all: float) -> None:
        self._per_place, self._all = per_place, Bucket(in_all)
        self._places: dict[str, Bucket] = {}

    def take(self, place: str, now: float) -> bool:
        """Whether one may begin now; it is counted if so."""
        bucket = self._places.setdefault(place, Bucket(self._per_place))
        if bucket.room(now) < 1 or self._all.room(now) < 1:
            return False
        bucket.take()
        self._all.take()
        return True

    def give_back(self, place: str) -> None:
        """One that was counted closed nothing."""
        self._places[place].give_back()
        self._all.give_back()

    def is_full(self, now: float) -> bool:
        """Whether none may begin anywhere."""
        return self._all.room(now) < 1

    def full(self, now: float) -> list[str]:
        """The places where none may begin."""
        return [place for place, bucket in self._places.items() if bucket.room(now) < 1]
