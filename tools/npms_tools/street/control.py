"""Steers the street over HTTP on loopback: loads, registers, hands on relays, faults."""

from dataclasses import asdict
from typing import Any, Literal

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from npms_tools.street.fault_plan import FaultPlan
from npms_tools.street.faults import FaultKind, Faults
from npms_tools.street.meter import WMS_PER_WH, Meter
from npms_tools.street.street import Street, describe


class Load(BaseModel):
    power_w: int | None = Field(description="constant draw; null follows the household's shape")


class RegisterSet(BaseModel):
    register_wh: int = Field(ge=0)


class RelaySet(BaseModel):
    state: Literal["on", "off"]


class Fault(BaseModel):
    kind: FaultKind
    count: int = Field(default=-1, description="how often; -1 until taken away")
    delay_ms: int = Field(default=500, ge=0, description="of `late`")
    code: int = Field(default=4, ge=1, le=255, description="of `exception`")
    by_wh: int = Field(default=9_113_000, ge=1, description="of `spike`: added to what is shown")


class Gateway(BaseModel):
    host: str
    port: int
    up: bool
    mute: bool = Field(default=False, description="accept connections, but never answer")


def control_app(street: Street) -> FastAPI:
    """The control interface of a street."""
    app = FastAPI(title="NPMS simulated street")
    _add_meters(app, street)
    _add_hands(app, street)
    _add_faults(app, street)
    _add_journal(app, street)
    return app


def _meter(street: Street, serial: str) -> Meter:
    meter = street.meters.get(serial)
    if meter is None:
        raise HTTPException(404, f"no meter {serial}")
    meter.advance(street.now_ms())
    return meter


def _add_meters(app: FastAPI, street: Street) -> None:
    @app.get("/meters")
    async def list_meters() -> list[dict[str, Any]]:
        street.advance()
        return [describe(meter) for meter in street.meters.values()]

    @app.get("/meters/{serial}")
    async def show_meter(serial: str) -> dict[str, Any]:
        return describe(_meter(street, serial))


def _add_hands(app: FastAPI, street: Street) -> None:
    @app.post("/meters/{serial}/load")
    async def set_load(serial: str, load: Load) -> dict[str, Any]:
        meter = _meter(street, serial)
        meter.load_w = load.power_w
        return describe(meter)

    @app.post("/load")
    async def set_every_load(load: Load) -> int:
        street.advance()
        for meter in street.meters.values():
            meter.load_w = load.power_w
        return len(street.meters)

    @app.post("/meters/{serial}/register")
    async def set_register(serial: str, register: RegisterSet) -> dict[str, Any]:
        meter = _meter(street, serial)
        before, meter.counted_wms = meter.counted_wms, register.register_wh * WMS_PER_WH
        meter.cleared_wms += before - meter.counted_wms
        return describe(meter)

    @app.post("/meters/{serial}/relay")
    async def move_relay_by_hand(serial: str, relay: RelaySet) -> dict[str, Any]:
        meter = _meter(street, serial)
        meter.relay_on = relay.state == "on"
        return describe(meter)

    @app.post("/meters/{serial}/button")
    async def press_button(serial: str) -> dict[str, Any]:
        """What the customer does at a meter that is armed to close."""
        meter = _meter(street, serial)
        meter.contact.press_button()
        return describe(meter)


def _add_faults(app: FastAPI, street: Street) -> None:
    @app.post("/meters/{serial}/faults")
    async def add_fault(serial: str, fault: Fault) -> dict[str, Any]:
        meter = _meter(street, serial)
        inject(meter.faults, fault)
        return describe(meter)

    @app.delete("/meters/{serial}/faults")
    async def take_faults_away(serial: str) -> dict[str, Any]:
        meter = _meter(street, serial)
        meter.faults = Faults()
        meter.book.clear()
        return describe(meter)

    @app.post("/gateways")
    async def switch_gateway(gateway: Gateway) -> dict[str, Any]:
        switch = street.bring_gateway_up if gateway.up else street.take_gateway_down
        await switch(gateway.host, gateway.port)
        street.sockets[gateway.host, gateway.port].is_mute = gateway.mute
        return gateway.model_dump()

    @app.post("/faults")
    async def put_plan(plan: FaultPlan) -> int:
        """A plan over the whole street, as `--faults` would put it; the answer counts its rules."""
        street.trouble(plan)
        await street.unrest.work(street.now_ms())
        return len(plan.faults)

    @app.delete("/faults")
    async def take_every_fault_away() -> dict[str, int]:
        street.advance()
        await street.unrest.calm(street.now_ms())
        return dict(street.journal.counts)


def _add_journal(app: FastAPI, street: Street) -> None:
    @app.get("/faults/log")
    async def show_log(since_s: float = 0, subject: str | None = None) -> dict[str, Any]:
        """Every fault that struck since a business time (epoch s), of one meter or of all."""
        told = street.journal.told(since_s=since_s, subject=subject)
        return {"counts": street.journal.counts, "lost": street.journal.lost, "items": told}

    @app.get("/shown")
    async def show_shown(serial: str | None = None, offset: int = 0) -> list[dict[str, Any]]:
        """Import registers as they were shown, where the street was started to keep them."""
        entries = [e for e in street.journal.shown if serial in {None, e.serial}]
        return [asdict(entry) for entry in entries[offset:]]


def inject(faults: Faults, fault: Fault) -> None:
    """Make a meter do wrong."""
    setattr(faults, fault.kind, fault.count)
    if fault.kind == "late":
        faults.late_ms = fault.delay_ms
    if fault.kind == "exception":
        faults.exception_code = fault.code
    if fault.kind == "spike":
        faults.spike_wh = fault.by_wh
