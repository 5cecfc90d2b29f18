"""One simulated meter: a household behind a relay, counted in whole watt-milliseconds."""

from dataclasses import dataclass, field
from fractions import Fraction

from npms_tools.street.households import STEP_S, draw_w
from npms_tools.street.register_map import RegisterMap

WMS_PER_WH = 3_600_000


@dataclass(slots=True)
class Faults:
    """What the meter does wrong; counts run down, -1 is for ever, 0 is not at all."""

    silent: int = 0
    late: int = 0
    late_ms: int = 0
    drop_ack: int = 0
    stuck_relay: int = 0
    welded: int = 0
    exception: int = 0
    exception_code: int = 4
    wrong_unit: int = 0
    wrong_transaction: int = 0
    short: int = 0
    close: int = 0

    def take(self, kind: str) -> bool:
        """Whether this fault strikes now; uses one up."""
        left: int = getattr(self, kind)
        if left > 0:
            setattr(self, kind, left - 1)
        return left != 0


@dataclass(slots=True)
class Meter:
    """`counted_wms` is the true register in W·ms, counted to the business time `at_ms`.

    A meter with a load limit lets through at most `limit_w`: what the home wants beyond it does not
    flow, and nothing trips.
    """

    serial: str
    map: RegisterMap
    host: str
    port: int
    unit_id: int
    kind: str
    seed: int
    counted_wms: int
    at_ms: int
    relay_on: bool = True
    load_w: int | None = None
    limit_w: int | None = None
    faults: Faults = field(default_factory=Faults)

    @property
    def register_wh(self) -> int:
        return self.counted_wms // WMS_PER_WH

    @property
    def power_w(self) -> int:
        """What flows now; a welded contact lets it flow although the relay shows off."""
        if not self.relay_on and not self.faults.welded:
            return 0
        return self._flows_w(self.at_ms)

    def advance(self, to_ms: int) -> None:
        """Count what flowed until `to_ms` (business epoch milliseconds)."""
        if not self.relay_on and not self.faults.welded:
            self.at_ms = max(self.at_ms, to_ms)
            return
        while self.at_ms < to_ms:
            until = min((self.at_ms // (STEP_S * 1000) + 1) * STEP_S * 1000, to_ms)
            self.counted_wms += self._flows_w(self.at_ms) * (until - self.at_ms)
            self.at_ms = until

    def switch(self, *, on: bool) -> None:
        """Move the relay, unless it is stuck."""
        if not self.faults.take("stuck_relay"):
            self.relay_on = on

    def tables(self) -> dict[str, dict[int, int]]:
        """All registers and coils as they read now."""
        power_w = self.power_w
        return self.map.show(
            {
                "energy_import_wh": Fraction(self.register_wh),
                "energy_total_wh": Fraction(self.register_wh),
                "power_w": Fraction(power_w),
                "voltage_v": Fraction(2300 + self.seed % 60 - 30, 10),
                "current_a": Fraction(power_w, 230),
                "power_factor": Fraction(1),
                "frequency_hz": Fraction(50),
                "serial_number": Fraction(self.seed),
            },
            relay_on=self.relay_on,
            limit_w=self.limit_w,
        )

    def _flows_w(self, at_ms: int) -> int:
        wanted_w = self.load_w
        if wanted_w is None:
            wanted_w = draw_w(self.kind, self.seed, at_ms // 1000)
        return wanted_w if self.limit_w is None else min(wanted_w, self.limit_w)
