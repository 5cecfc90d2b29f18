"""Works the faults that have a time of their own, and can take every fault away."""

from collections.abc import Iterable, Mapping

from npms_tools.street.fault_plan import (
    Armed,
    FaultPlan,
    Rule,
    arm,
    concerns,
    is_drawn,
    is_one_time,
)
from npms_tools.street.faults import GATEWAY_FAULTS, Faults
from npms_tools.street.journal import Journal
from npms_tools.street.meter import WMS_PER_WH, Meter
from npms_tools.street.modbus_server import GatewaySocket

Address = tuple[str, int]


class Unrest:
    """Which faults with times stand over whom; begun and ended by `work`, called each second."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._began_s = 0.0
        self._meters: list[tuple[Meter, Armed]] = []
        self._gateways: list[tuple[Address, GatewaySocket, Armed]] = []
        self._on: set[int] = set()
        self._troubled: list[Meter] = []

    def spread(
        self,
        plan: FaultPlan,
        meters: Iterable[Meter],
        sockets: Mapping[Address, GatewaySocket],
        *,
        began_s: float,
    ) -> None:
        """Draw by lot who is concerned by each rule."""
        self._began_s = began_s
        for number, rule in enumerate(plan.faults):
            if rule.fault in GATEWAY_FAULTS:
                self._spread_gateways(rule, number, plan.seed, sockets)
                continue
            for meter in meters:
                lot = {"serial": meter.serial, "profile": meter.map.profile}
                if concerns(rule, seed=plan.seed, number=number, **lot):
                    self._put(meter, arm(rule, seed=plan.seed, number=number, subject=meter.serial))

    def _spread_gateways(
        self, rule: Rule, number: int, seed: int, sockets: Mapping[Address, GatewaySocket]
    ) -> None:
        for place, (address, socket) in enumerate(sockets.items()):
            subject = f"gateway {place}"
            if is_drawn(rule, seed=seed, number=number, subject=subject):
                armed = arm(rule, seed=seed, number=number, subject=subject)
                self._gateways.append((address, socket, armed))

    def _put(self, meter: Meter, armed: Armed) -> None:
        meter.book.began_s = self._began_s
        meter.book.add(armed)
        self._troubled.append(meter)
        if armed in meter.book.others:
            self._meters.append((meter, armed))

    async def work(self, now_ms: int) -> None:
        """Begin what is due and end what is over."""
        at_s = now_ms / 1000 - self._began_s
        for meter, armed in self._meters:
            self._work_meter(meter, armed, now_ms, armed.is_on(at_s))
        for address, socket, armed in self._gateways:
            await self._work_gateway(address, socket, armed, now_ms / 1000, armed.is_on(at_s))

    async def calm(self, now_ms: int) -> None:
        """Take every fault away, and bring back what was down."""
        for address, socket, armed in self._gateways:
            await self._work_gateway(address, socket, armed, now_ms / 1000, False)
        for meter in self._troubled:
            meter.book.clear()
            meter.faults = Faults()
        self._meters.clear()
        self._gateways.clear()
        self._troubled.clear()
        self._on.clear()

    def _work_meter(self, meter: Meter, armed: Armed, now_ms: int, is_on: bool) -> None:  # noqa: FBT001
        if not self._changes(armed, is_on):
            return
        rule = armed.rule
        if is_one_time(rule) and (not is_on or armed.struck >= (rule.count or 1)):
            return
        if rule.fault == "cleared" and _is_near_rollover(meter):
            return
        armed.struck += 1
        meter.advance(now_ms)
        _do(meter, rule, is_on=is_on)
        self._journal.strike(now_ms / 1000, meter.serial, rule.fault, "" if is_on else "over")

    async def _work_gateway(
        self,
        address: Address,
        socket: GatewaySocket,
        armed: Armed,
        now_s: float,
        is_on: bool,  # noqa: FBT001
    ) -> None:
        if not self._changes(armed, is_on):
            return
        if armed.rule.fault == "gateway_mute":
            socket.is_mute = is_on
        elif is_on:
            await socket.stop()
        else:
            await socket.start(*address)
        subject = f"{address[0]}:{address[1]}"
        self._journal.strike(now_s, subject, armed.rule.fault, "" if is_on else "over")

    def _changes(self, armed: Armed, is_on: bool) -> bool:  # noqa: FBT001
        """Whether it begins or ends now; remembers which."""
        if is_on == (id(armed) in self._on):
            return False
        (self._on.add if is_on else self._on.discard)(id(armed))
        return True


def _do(meter: Meter, rule: Rule, *, is_on: bool) -> None:
    match rule.fault:
        case "welded":
            meter.faults.welded = -1 if is_on else 0
        case "cleared":
            meter.clear_register()
        case "near_rollover":
            _put_near_rollover(meter, rule.by_wh)
        case "clock_drift":
            meter.clock_ahead_s += rule.by_s
        case "hand":
            meter.relay_on = rule.state == "on"


def _is_near_rollover(meter: Meter) -> bool:
    """Nobody who reads it could then tell a cleared register from one that began again."""
    modulus = meter.map.rollover_wh
    return modulus is not None and meter.register_wh % modulus * 10 > modulus * 9


def _put_near_rollover(meter: Meter, by_wh: int) -> None:
    """So many Wh before the register begins again, where the profile knows when it does."""
    if meter.map.rollover_wh is not None:
        turned = (meter.map.rollover_wh - by_wh) * WMS_PER_WH
        meter.cleared_wms += meter.counted_wms - turned
        meter.counted_wms = turned
