"""A register that stands still while current flows."""

from dataclasses import dataclass

STILL_LOOKS = 3
STILL_STEPS = 10
"""So many steps of the register should have been counted before it is called stuck."""


@dataclass(slots=True)
class RegisterWatch:
    """What one meter showed since its register last moved.

    `missing_ws` is what flowed at least, in W·s, were the power between two looks never below the
    lower of both; `looks` how many looks in a row showed power and no movement.
    """

    register_wh: int = -1
    at_s: float = 0.0
    power_w: int = 0
    looks: int = 0
    missing_ws: float = 0.0

    def observe(self, at_s: float, register_wh: int, power_w: int) -> bool:
        """Note a look; whether the register moved since the look before."""
        is_first = self.register_wh < 0
        moved = not is_first and register_wh != self.register_wh
        if is_first or moved or power_w <= 0:
            self.looks, self.missing_ws = 0, 0.0
        else:
            self.looks += 1
            self.missing_ws += min(self.power_w, power_w) * max(at_s - self.at_s, 0.0)
        self.register_wh, self.at_s, self.power_w = register_wh, at_s, power_w
        return moved

    def is_stuck(self, resolution_wh: int) -> bool:
        """A register that stands at zero counts nothing yet: that is for the opening to see."""
        enough_ws = STILL_STEPS * resolution_wh * 3600
        return self.register_wh > 0 and self.looks >= STILL_LOOKS and self.missing_ws >= enough_ws
