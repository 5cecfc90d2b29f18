"""What a meter does wrong, on demand: counts that run down, set by REST or by a plan."""

from dataclasses import dataclass
from typing import Literal, get_args

RequestFault = Literal[
    "silent", "late", "drop_ack", "exception", "wrong_unit", "wrong_transaction", "short",
    "close", "reset", "partial", "split", "glued", "corrupt", "stuck_relay",
    "spike", "jitter", "nan", "frozen",
]  # fmt: skip
"""Decided anew at each request that they could spoil."""

StandingFault = Literal["welded"]
"""Last as long as they are set."""

ONE_TIME = Literal["cleared", "near_rollover", "clock_drift", "hand"]
"""Done once to a meter."""

GatewayFault = Literal["gateway_refuses", "gateway_mute"]

FaultKind = Literal[
    "silent", "late", "drop_ack", "exception", "wrong_unit", "wrong_transaction", "short",
    "close", "reset", "partial", "split", "glued", "corrupt", "stuck_relay",
    "spike", "jitter", "nan", "frozen", "welded",
]  # fmt: skip
"""What can be set on a single meter."""

REQUEST_FAULTS: frozenset[str] = frozenset(get_args(RequestFault))
GATEWAY_FAULTS: frozenset[str] = frozenset(get_args(GatewayFault))
ONE_TIME_FAULTS: frozenset[str] = frozenset(get_args(ONE_TIME))
VALUE_FAULTS = ("nan", "frozen", "spike", "jitter")
"""Change what the energy registers show; the first that strikes is the one."""


@dataclass(slots=True)
class Faults:
    """What the meter does wrong; counts run down, -1 is for ever, 0 is not at all.

    `spike_wh` is what a spike adds to the register shown; `frozen_wms` what a frozen register
    stands at. The rest are named as their faults.
    """

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
    reset: int = 0
    partial: int = 0
    split: int = 0
    glued: int = 0
    corrupt: int = 0
    spike: int = 0
    spike_wh: int = 9_113_000
    jitter: int = 0
    nan: int = 0
    frozen: int = 0
    frozen_wms: int | None = None

    def take(self, kind: str) -> bool:
        """Whether this fault strikes now; uses one up."""
        left: int = getattr(self, kind)
        if left > 0:
            setattr(self, kind, left - 1)
        return left != 0
