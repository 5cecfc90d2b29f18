"""What a meter answered: the one record of it, from the driver to the decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Self

from npms_meter_gateway.domain.decoding import whole
from npms_meter_gateway.domain.point import ENERGY, POWER, VOLTAGE
from npms_meter_gateway.domain.relay import Seen


@dataclass(frozen=True, slots=True)
class MeterAnswer:
    """`values` are exact, in the unit of their names, without those that the meter has not or that
    were not asked for.

    `relay` is None where none was asked for or the meter has no register for it. `limit_w` is the
    most that it lets through, None without a limit. `armed` says that the customer may close the
    relay, `relay_fault` that it cannot open.
    """

    values: Mapping[str, Fraction] = field(default_factory=dict)
    relay: Seen | None = None
    limit_w: int | None = None
    armed: bool = False
    relay_fault: bool = False

    @classmethod
    def of(
        cls,
        *,
        register_wh: int | None = None,
        power_w: int | None = None,
        voltage_mv: int | None = None,
        relay: Seen | None = None,
    ) -> Self:
        """From whole numbers, as meters that send by themselves tell them."""
        numbers = ((ENERGY, register_wh, 1), (POWER, power_w, 1), (VOLTAGE, voltage_mv, 1000))
        values = {name: Fraction(n, per) for name, n, per in numbers if n is not None}
        return cls(values, relay)

    @property
    def register_wh(self) -> int | None:
        """Cut down to the Wh."""
        return self._whole(ENERGY)

    @property
    def power_w(self) -> int | None:
        return self._whole(POWER)

    @property
    def voltage_mv(self) -> int | None:
        voltage = self.values.get(VOLTAGE)
        return None if voltage is None else whole(voltage * 1000)

    def _whole(self, name: str) -> int | None:
        value = self.values.get(name)
        return None if value is None else whole(value)
