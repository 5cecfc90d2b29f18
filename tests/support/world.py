"""The five services as real processes, with people who open accounts, pay and use energy."""

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from tests.support.wait import until

from npms_shared.clock import ScaledClock, wall_now
from npms_shared.ids import new_id
from npms_tools.demo.helpers import Helper
from npms_tools.stack import Stack
from npms_tools.stack.services import Services

SPEED = 600
CURRENCY = "KES"
PREFIX = "npms_system"
HEARTBEAT_S = 2
EXAMPLES = Path(__file__).resolve().parents[2] / "services" / "tariff" / "examples"
POLICY = {"currency": CURRENCY, "low_balance": [{"at": "20.00", "rearm": "30.00"}]}
AWAY = (httpx.TransportError,)
TOTALS = """
    SELECT account_id, coalesce(sum(energy_wh), 0),
           coalesce(sum(amount_micro) FILTER (WHERE kind = 'top_up'), 0)
    FROM posting GROUP BY account_id
"""


@dataclass(slots=True)
class Home:
    """An account whose readings are sent to the gateway, and what we know to be true of it."""

    account_id: int
    installation_id: int
    opening_wh: int
    register_wh: int
    paid_micro: int = 0


class World:
    def __init__(self, stack: Stack, *, vhost: str) -> None:
        self.stack = stack
        self.clock = ScaledClock(anchor=wall_now(), start=wall_now(), speed=SPEED)
        amqp_url = f"{stack.vhost(vhost)}?heartbeat={HEARTBEAT_S}"
        self.amqp_url = amqp_url
        self.sinks = self._sinks()
        self.services = Services(
            stack,
            prefix=PREFIX,
            amqp_url=amqp_url,
            common=self._clock_variable(),
            extra=self._extra(),
        )
        self.http = httpx.AsyncClient(headers=self.headers("system-test"), timeout=20)
        self.homes: list[Home] = []

    def headers(self, subject: str) -> dict[str, str]:
        """Of somebody with every role of the staff."""
        roles = ["operator", "admin", "service"]
        return {"Authorization": f"Bearer {self.stack.issuer.issue_token(subject, roles)}"}

    def start(self) -> None:
        self.services.migrate(lambda _line: None)
        self.sinks.start()
        self.services.start(lambda _line: None)

    def stop(self) -> None:
        self.services.stop()
        self.sinks.stop()

    def _clock_variable(self) -> dict[str, str]:
        clock = self.clock
        form = f"anchor={clock.anchor.isoformat()};start={clock.start.isoformat()};speed={SPEED}"
        return {"NPMS_CLOCK": form}

    def _sinks(self) -> Helper:
        memory = self.stack.memory
        self._smtp, self._sms = (str(memory.free_port(f"system {n}")) for n in ("smtp", "sms"))
        self._sms_key = memory.secret("system sms key")
        return Helper(
            "system-sinks",
            words=["npms_tools.sinks.cli", "--smtp-port", self._smtp, "--http-port", self._sms],
            folder=self.stack.folder,
            environment={"NPMS_SINKS_API_KEY": self._sms_key},
            url=f"http://127.0.0.1:{self._sms}/",
        )

    def _extra(self) -> dict[str, dict[str, str]]:
        return {
            "meter-gateway": {"NPMS_METER_GATEWAY_FUTURE_TOLERANCE_S": "3600"},
            "payments": {
                "NPMS_PAYMENTS_VOUCHER_PEPPER": self.stack.memory.secret("pepper"),
                "NPMS_PAYMENTS_ALONE_PER_DAY": '{"*": "1000000000"}',
            },
            "notifier": {
                "NPMS_NOTIFIER_SMTP_HOST": "127.0.0.1",
                "NPMS_NOTIFIER_SMTP_PORT": self._smtp,
                "NPMS_NOTIFIER_SMTP_SENDER": "credit@npms.example",
                "NPMS_NOTIFIER_SMTP_STARTTLS": "false",
                "NPMS_NOTIFIER_SMS_URL": f"http://127.0.0.1:{self._sms}/sms",
                "NPMS_NOTIFIER_SMS_API_KEY": self._sms_key,
                "NPMS_NOTIFIER_CODE_PEPPER": self.stack.memory.secret("code pepper"),
            },
        }

    async def call(self, method: str, service: str, path: str, **words: Any) -> httpx.Response:
        """The answer, asked for again while the service is away or fails."""

        async def ask() -> httpx.Response | None:
            url = f"{self.services[service].url}{path}"
            try:
                answer = await self.http.request(method, url, **words)
            except AWAY:
                return None
            return None if answer.status_code >= 500 else answer

        return await until(ask, within_s=60, what=f"{method} {service}{path}")

    async def good(self, method: str, service: str, path: str, **words: Any) -> Any:
        answer = await self.call(method, service, path, **words)
        assert answer.is_success, answer.text
        return answer.json()

    async def open_homes(self, count: int) -> None:
        """Accounts on one plan, with a meter whose readings we send, and some credit."""
        document = json.loads(min(EXAMPLES.glob("*.json")).read_text())
        await self._put_in_force(document)
        asked = await self.good("PUT", "ledger", "/v1/credit-policies/system", json=POLICY)
        if "request_id" in asked:
            place = f"/v1/credit-policy-requests/{asked['request_id']}"
            assert (await self.agree("ledger", place)).is_success
        mark = random.randrange(10**9)
        for number in range(count):
            self.homes.append(await self._open(document["plan_code"], f"SYS-{mark}-{number}"))
        for home in self.homes:
            await self.pay(home, f"open-{mark}-{home.account_id}", "500.00")

    async def _put_in_force(self, plan: dict[str, Any]) -> None:
        """Drafted by one, activated by another; both may have been done before."""
        await self.call("POST", "tariff", "/v1/plans", json=plan)
        place = f"/v1/plans/{plan['plan_code']}/versions/1"
        answer = await self.agree("tariff", place, "activate")
        assert answer.status_code in {200, 409}, answer.text

    async def agree(self, service: str, place: str, verb: str = "approve") -> httpx.Response:
        """A second person looks at what waits, and decides about what they saw."""
        second = self.headers("second-person")
        seen = await self.call("GET", service, place, headers=second)
        headers = second | {"If-Match": seen.headers.get("ETag", "")}
        body = {"reason": "Looked into it."}
        return await self.call("POST", service, f"{place}/{verb}", headers=headers, json=body)

    async def _open(self, plan_code: str, serial: str) -> Home:
        body = {
            "customer": {"name": serial, "language": "en", "contacts": []},
            "time_zone": "Africa/Nairobi",
            "currency": CURRENCY,
            "usage_point": {"label": serial, "max_power_w": 50_000},
            "meter": {
                "serial": serial,
                "profile": "eastron_sdm120",
                "host": "sent-to-us",
                "port": 0,
                "unit_id": 0,
            },
            "opening_register": {"value": "100.000"},
            "plan_code": plan_code,
            "credit_policy": "system",
        }

        async def ask() -> dict[str, Any] | None:
            headers = {"Idempotency-Key": serial}
            answer = await self.call("POST", "ledger", "/v1/accounts", json=body, headers=headers)
            if answer.status_code == 422 and answer.json()["code"].startswith("unknown_"):
                return None
            assert answer.status_code == 201, answer.text
            opened: dict[str, Any] = answer.json()
            return opened

        opened = await until(ask, what="the ledger knows plan and profile")
        return Home(opened["account_id"], opened["installation_id"], 100_000, 100_000)

    async def pay(self, home: Home, reference: str, amount: str) -> None:
        body = {
            "account_number": str(home.account_id),
            "amount": {"amount": amount, "currency": CURRENCY},
            "source": "bank",
            "reference": reference,
        }
        headers = {"Idempotency-Key": reference}

        async def ask() -> bool:
            answer = await self.call("POST", "payments", "/v1/payments", json=body, headers=headers)
            return answer.status_code == 201

        await until(ask, what=f"payment {reference} is taken")
        home.paid_micro += int(amount.replace(".", "")) * 10_000

    async def push_round(self, chance: random.Random) -> None:
        """One reading of every home, sent until it is taken."""
        at = self.clock.now().replace(microsecond=0)
        items = []
        for home in self.homes:
            home.register_wh += chance.randrange(0, 300)
            items.append(_reading(home, at))
        answer = await self.call("POST", "meter-gateway", "/v1/readings", json={"readings": items})
        assert answer.is_success, answer.text

    async def totals(self) -> dict[int, tuple[int, int]]:
        """(energy charged in Wh, credited micro) of every account, from the ledger's journal."""
        conn = await asyncpg.connect(self.services.databases["ledger"].url)
        try:
            rows = await conn.fetch(TOTALS)
        finally:
            await conn.close()
        return {row[0]: (int(row[1]), int(row[2])) for row in rows}

    def expected(self) -> dict[int, tuple[int, int]]:
        return {
            home.account_id: (home.register_wh - home.opening_wh, home.paid_micro)
            for home in self.homes
        }

    async def until_settled(self) -> None:
        """Until the ledger shows exactly what was used and paid, no more and no less."""
        differs: dict[int, Any] = {}

        async def same() -> bool:
            differs.clear()
            wanted = self.expected()
            try:
                found = await self.totals()
            except (OSError, asyncpg.PostgresError):
                return False
            differs.update({k: (found.get(k), v) for k, v in wanted.items() if found.get(k) != v})
            return not differs

        try:
            await until(same, within_s=60, every_s=0.2)
        except AssertionError:
            shown = dict(list(differs.items())[:5])
            raise AssertionError(
                f"{len(differs)} accounts differ; (energy Wh, credited micro) found and expected: "
                f"{shown}"
            ) from None


def _reading(home: Home, at: datetime) -> dict[str, Any]:
    return {
        "installation_id": home.installation_id,
        "taken_at": at.isoformat(),
        "register_wh": home.register_wh,
    }


class Load:
    """Readings and payments that go on while something is injured."""

    PAUSE_S = 0.1

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._chance = world, random.Random(seed)
        self._stopping = asyncio.Event()
        self.rounds = 0

    async def run(self) -> None:
        while not self._stopping.is_set():
            await self._world.push_round(self._chance)
            home = self._chance.choice(self._world.homes)
            await self._world.pay(home, f"load-{new_id()}", "1.50")
            self.rounds += 1
            await asyncio.sleep(self.PAUSE_S)

    def stop(self) -> None:
        self._stopping.set()

    async def go_on(self, rounds: int) -> None:
        """Until so many more rounds are done: work really was in flight."""
        wanted = self.rounds + rounds

        async def enough() -> bool:
            return self.rounds >= wanted

        await until(enough, within_s=90, what=f"{rounds} rounds of load")
