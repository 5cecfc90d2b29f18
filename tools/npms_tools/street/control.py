"""Steers the street over HTTP on loopback: loads, registers, hands on relays, faults."""

from typing import Any, Literal

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from npms_tools.street.meter import WMS_PER_WH, Faults, Meter
from npms_tools.street.street import Street, describe

FaultKind = Literal[
    "silent", "late", "drop_ack", "stuck_relay", "welded", "exception",
    "wrong_unit", "wrong_transaction", "short", "close",
]  # fmt: skip


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


class Gateway(BaseModel):
    host: str
    port: int
    up: bool


def control_app(street: Street) -> FastAPI:
    """The control interface of a street."""
    app = FastAPI(title="NPMS simulated street")
    _add_meters(app, street)
    _add_hands(app, street)
    _add_faults(app, street)
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

    @app.post("/meters/{serial}/register")
    async def set_register(serial: str, register: RegisterSet) -> dict[str, Any]:
        meter = _meter(street, serial)
        meter.counted_wms = register.register_wh * WMS_PER_WH
        return describe(meter)

    @app.post("/meters/{serial}/relay")
    async def move_relay_by_hand(serial: str, relay: RelaySet) -> dict[str, Any]:
        meter = _meter(street, serial)
        meter.relay_on = relay.state == "on"
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
        return describe(meter)

    @app.post("/gateways")
    async def switch_gateway(gateway: Gateway) -> dict[str, Any]:
        switch = street.bring_gateway_up if gateway.up else street.take_gateway_down
        await switch(gateway.host, gateway.port)
        return gateway.model_dump()


def inject(faults: Faults, fault: Fault) -> None:
    """Make a meter do wrong."""
    setattr(faults, fault.kind, fault.count)
    if fault.kind == "late":
        faults.late_ms = fault.delay_ms
    if fault.kind == "exception":
        faults.exception_code = fault.code
