"""Opens an account for each meter of the street, and pays for some, over the services' REST."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import httpx

from npms_tools.soak.scene import Scene

CURRENCY, ZONE = "KES", "Africa/Nairobi"
PLAN, POLICY = "soak", "soak"
PRICE = "100.000000"
POOR_EVERY = 10
"""Every tenth home begins with too little: it is cut, and half of them pay later."""
POOR_CREDIT_A_MINUTE = Decimal("0.15")
"""What a frugal home uses meanwhile: most are cut before the soak is half over."""
RICH_CREDIT, PAYMENT = "100000.00", "500.00"
AT_A_TIME = 12
WAIT_S = 300.0
TRIES = 4


class NotReachedError(Exception):
    """What was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A meter with its account: `opened_wh` is the opening register, `energy_wh` the street's own
    count of all energy at that moment.
    """

    serial: str
    account_id: int
    installation_id: int
    opened_wh: int
    energy_wh: int
    resolution_wh: int
    rollover_wh: int | None
    is_poor: bool


class Town:
    """REST with an operator's token; a second person agrees to what takes two."""

    def __init__(self, scene: Scene, *, minutes: float) -> None:
        self._scene = scene
        self._poor_credit = f"{POOR_CREDIT_A_MINUTE * Decimal(minutes):.2f}"
        issuer = scene.stack.issuer
        token = issuer.issue_token("soak-operator", ["operator", "admin"])
        second = issuer.issue_token("soak-second", ["operator"])
        self._headers = {"Authorization": f"Bearer {token}"}
        self._second = {"Authorization": f"Bearer {second}"}
        self._http = httpx.AsyncClient(timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, service: str, path: str, *, key: str | None = None, **words: Any
    ) -> Any:
        """The answer's body; raises httpx.HTTPStatusError for one that refuses."""
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        url = self._scene.street_url if service == "street" else self._scene.services[service].url
        answer = await self._send(method, f"{url}{path}", headers=headers, **words)
        if answer.is_error:
            raise NotReachedError(f"{method} {service} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    async def _send(self, method: str, url: str, **words: Any) -> httpx.Response:
        """A kept connection may be closed under us: ask again, with the same key."""
        for _ in range(TRIES - 1):
            try:
                return await self._http.request(method, url, **words)
            except httpx.TransportError:
                await asyncio.sleep(0.2)
        return await self._http.request(method, url, **words)

    async def pages(self, service: str, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every item of a list that comes in pages."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = query | {"limit": 100} | ({"cursor": cursor} if cursor else {})
            page = await self.call("GET", service, path, params=params)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def open_accounts(self, progress: Callable[[str], None]) -> list[Resident]:
        """One for each meter, at the register that it has now."""
        await self._prepare()
        meters = await self.call("GET", "street", "/meters")
        gate = asyncio.Semaphore(AT_A_TIME)
        residents: list[Resident] = []

        async def one(number: int, meter: dict[str, Any]) -> None:
            async with gate:
                residents.append(await self._open(number, meter))
                if len(residents) % 1000 == 0:
                    progress(f"{len(residents)} of {len(meters)} accounts open")

        await asyncio.gather(*(one(number, meter) for number, meter in enumerate(meters, 1)))
        return residents

    async def _prepare(self) -> None:
        document = {
            "energy": {"periods": [{"name": "all", "blocks": [{"price": PRICE}]}]},
        }
        plan = {
            "plan_code": PLAN,
            "name": "Soak",
            "commodity": "electricity",
            "currency": CURRENCY,
            "valid_from": "2026-01-01T00:00:00+03:00",
            "document": document,
        }
        await self.call("POST", "tariff", "/v1/plans", json=plan)
        await self._agree("tariff", f"/v1/plans/{PLAN}/versions/1", "activate")
        policy = {"currency": CURRENCY, "floor": "0"}
        asked = await self.call("PUT", "ledger", f"/v1/credit-policies/{POLICY}", json=policy)
        if "request_id" in asked:
            await self._agree("ledger", f"/v1/credit-policy-requests/{asked['request_id']}")

    async def _agree(self, service: str, place: str, verb: str = "approve") -> None:
        """The second person looks at what waits, and decides about what they saw."""
        url = f"{self._scene.services[service].url}{place}"
        seen = await self._send("GET", url, headers=self._second)
        headers = self._second | {"If-Match": seen.headers.get("ETag", "")}
        body = {"reason": "For the soak."}
        (await self._send("POST", f"{url}/{verb}", headers=headers, json=body)).raise_for_status()

    async def _open(self, number: int, meter: dict[str, Any]) -> Resident:
        is_poor = number % POOR_EVERY == 0 and meter["is_commanded"]
        credit = self._poor_credit if is_poor else RICH_CREDIT
        body = {
            "customer": {"name": f"House {number}", "language": "en"},
            "time_zone": ZONE,
            "currency": CURRENCY,
            "usage_point": {"label": f"House {number}", "max_power_w": _fuse_w(meter)},
            "meter": {
                name: meter[name] for name in ("serial", "profile", "host", "port", "unit_id")
            },
            "opening_register": {"value": str(Decimal(meter["display_wh"]) / 1000)},
            "opening_credit": {"amount": credit, "currency": CURRENCY},
            "plan_code": PLAN,
            "credit_policy": POLICY,
        }
        opened = await self._try_open(body, f"open-{meter['serial']}")
        if (request_id := opened["credit_request_id"]) is not None:
            await self._agree("ledger", f"/v1/money-requests/{request_id}")
        return Resident(
            serial=meter["serial"],
            account_id=opened["account_id"],
            installation_id=opened["installation_id"],
            opened_wh=meter["display_wh"],
            energy_wh=meter["energy_wh"],
            resolution_wh=meter["resolution_wh"],
            rollover_wh=meter["rollover_wh"],
            is_poor=is_poor,
        )

    async def _try_open(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Plans and profiles reach the ledger by message: until then they are unknown to it."""
        url = f"{self._scene.services['ledger'].url}/v1/accounts"
        headers = self._headers | {"Idempotency-Key": key}
        async with asyncio.timeout(WAIT_S):
            while True:
                answer = await self._send("POST", url, json=body, headers=headers)
                unknown = {"unknown_plan", "unknown_profile"}
                if answer.status_code == 422 and answer.json()["code"] in unknown:
                    await asyncio.sleep(0.2)
                    continue
                if answer.is_error:
                    raise NotReachedError(f"opening was refused: {answer.text}")
                opened: dict[str, Any] = answer.json()
                return opened

    async def set_transports(self) -> int:
        """Tell the gateway which addresses pass RTU frames through; how many those are."""
        meters = await self.call("GET", "street", "/meters")
        transports = {(one["host"], one["port"]): one["transport"] for one in meters}
        changed = 0
        for gateway in await self.pages("meter-gateway", "/v1/gateways"):
            wanted = transports[gateway["host"], gateway["port"]]
            if gateway["transport"] != wanted:
                path = f"/v1/gateways/{gateway['gateway_id']}"
                await self.call("PATCH", "meter-gateway", path, json={"transport": wanted})
                changed += 1
        return changed

    async def pay(self, residents: Sequence[Resident]) -> None:
        """Those who are cut pay by bank."""
        for resident in residents:
            body = {
                "account_number": str(resident.account_id),
                "amount": {"amount": PAYMENT, "currency": CURRENCY},
                "source": "bank",
                "reference": f"soak-{resident.account_id}",
            }
            asked = await self.call(
                "POST", "payments", "/v1/payments", json=body, key=f"pay-{resident.account_id}"
            )
            if "request_id" in asked:
                await self._agree("payments", f"/v1/money-requests/{asked['request_id']}")


def _fuse_w(meter: dict[str, Any]) -> int:
    """A section's feeder bears more than a home."""
    return 500_000 if str(meter["serial"]).startswith("FEED") else 15_000
