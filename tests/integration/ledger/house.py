"""What a test does to a ledger, in its own words."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer

from npms_ledger.consumers import subscriptions
from npms_ledger.handlers.decide_due import decide_due
from npms_ledger.handlers.note import note_plan_version, note_profile
from npms_ledger.handlers.payments import credit_payment, reverse_payment
from npms_ledger.handlers.post_charges import PostCharges
from npms_ledger.invariants import AUDIT, RULES
from npms_shared.clock import ManualClock
from npms_shared.contracts.meter_gateway import ProfilePublished
from npms_shared.contracts.payments import PaymentReversed, PaymentSettled
from npms_shared.contracts.tariff import ChargesBatch, PlanVersionActivated
from npms_shared.db import invariants
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import EventSubscription, Meta, Received
from npms_shared.runtime import Service

M = 1_000_000
POLICY = {
    "currency": "KES",
    "floor": "0",
    "low_balance": [{"at": "50", "rearm": "60"}, {"at": "20", "rearm": "25"}],
    "emergency": {"limit": "30", "offer_at": "10", "reoffer_above": "40"},
    "debt_share_ppm": 250_000,
}
PLAIN = {**POLICY, "emergency": None, "debt_share_ppm": 0}
"""A policy that lends nothing."""


@dataclass
class House:
    service: Service
    clock: ManualClock
    client: httpx.AsyncClient
    issuer: TestIssuer
    made: TestDatabase
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    registers: dict[int, int] = field(default_factory=dict)

    @property
    def database(self):
        return self.service.database

    async def prepare(self) -> None:
        """A plan, a profile, a policy called standard."""
        async with self.database.transaction() as conn:
            await note_plan_version(
                conn,
                PlanVersionActivated(
                    plan_code="household",
                    version=3,
                    plan_version_id=7,
                    currency="KES",
                    valid_from=self.clock.now() - timedelta(days=60),
                ),
            )
            await note_profile(
                conn, ProfilePublished(profile="p1", vendor="v", model="m", has_relay=True)
            )
        await self.put_policy("standard", POLICY)
        self.post_charges = PostCharges(self.clock)

    def headers(self, *roles: str, **claims: Any) -> dict[str, str]:
        return self.issuer.headers(*(roles or ("operator",)), **claims)

    async def get(self, path: str, **claims: Any) -> httpx.Response:
        roles = claims.pop("roles", ("operator",))
        return await self.client.get(path, headers=self.headers(*roles, **claims))

    async def read(self, path: str, **claims: Any) -> dict[str, Any]:
        """What is there."""
        answer = await self.get(path, **claims)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def put(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self.client.put(path, json=body, headers=self.headers())

    async def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        key: str = "",
        if_match: str = "",
        **claims: Any,
    ) -> httpx.Response:
        headers = self.headers(*claims.pop("roles", ("operator",)), **claims)
        if key:
            headers["Idempotency-Key"] = key
        if if_match:
            headers["If-Match"] = if_match
        return await self.client.post(path, json=body, headers=headers)

    async def agree(
        self, place: str, verb: str = "approve", body: Any = None, **claims: Any
    ) -> httpx.Response:
        """Look at what waits and decide about what was seen; by the boss if nobody is named."""
        seen = (await self.get(place)).headers["ETag"]
        claims = claims or {"sub": "the-boss"}
        body = body or {"reason": "Looked into it."}
        return await self.post(f"{place}/{verb}", body, if_match=seen, **claims)

    async def grant(self, account_id: int, body: dict[str, Any]) -> dict[str, Any]:
        """A credit, by two people where it takes two; as it is shown then."""
        path = f"/v1/accounts/{account_id}/credits"
        answer = await self.post(path, body, key=str(new_id()))
        assert answer.status_code in {201, 202}, answer.text
        if answer.status_code == 201:
            return answer.json()
        agreed = await self.agree(f"/v1/money-requests/{answer.json()['request_id']}")
        assert agreed.status_code == 200, agreed.text
        shown = await self.items(f"{path}?limit=500")
        return max(shown, key=lambda credit: credit["number"] or 0)

    async def put_policy(self, code: str, policy: dict[str, Any], by: str = "test") -> None:
        """Asked for by one, put in force by another."""
        headers = self.headers(subject=by)
        path = f"/v1/credit-policies/{code}"
        asked = await self.client.put(path, json=policy, headers=headers)
        assert asked.status_code in {200, 202}, asked.text
        if asked.status_code == 202:
            waiting = f"/v1/credit-policy-requests/{asked.json()['request_id']}"
            answer = await self.agree(waiting)
            assert answer.status_code == 200, answer.text

    def request(self, **changes: Any) -> dict[str, Any]:
        number = next(self.numbers)
        return {
            "customer": {
                "name": f"Customer {number}",
                "language": "en",
                "contacts": [{"channel": "sms", "address": "+254700000001"}],
            },
            "time_zone": "Africa/Nairobi",
            "currency": "KES",
            "usage_point": {"label": f"Door {number}", "max_power_w": 10_000},
            "meter": {
                "serial": f"M{number}",
                "profile": "p1",
                "host": "127.0.0.1",
                "port": 5020,
                "unit_id": number % 256,
            },
            "opening_register": {"value": "100.000"},
            "plan_code": "household",
            "credit_policy": "standard",
            **changes,
        }

    async def open(self, **changes: Any) -> dict[str, Any]:
        """A policy that is written out is put in force first."""
        if isinstance(policy := changes.get("credit_policy"), dict):
            changes["credit_policy"] = f"own-{next(self.numbers)}"
            await self.put_policy(changes["credit_policy"], policy)
        answer = await self.post("/v1/accounts", self.request(**changes), key=str(new_id()))
        assert answer.status_code == 201, answer.text
        opened = answer.json()
        self.registers[opened["installation_id"]] = 100_000
        return opened

    async def account(self, account_id: int) -> dict[str, Any]:
        return await self.read(f"/v1/accounts/{account_id}")

    async def balance(self, opened: dict[str, Any]) -> str:
        shown = await self.account(opened["account_id"])
        return str(shown["balance"]["amount"])

    async def items(self, path: str, **claims: Any) -> list[dict[str, Any]]:
        """A page of a list."""
        items: list[dict[str, Any]] = (await self.read(path, **claims))["items"]
        return items

    async def audit_trail(self, query: str = "") -> list[dict[str, Any]]:
        """The newest first."""
        return await self.items(f"/v1/audit-trail{query}")

    async def pay(self, account_id: int, amount_micro: int, **changes: Any) -> PaymentSettled:
        event = PaymentSettled.model_validate(
            {
                "payment_id": new_id(),
                "account_id": account_id,
                "amount_micro": amount_micro,
                "currency": "KES",
                "source": "voucher",
                "reference": "V-1",
                "settled_at": self.clock.now(),
                **changes,
            }
        )
        await self.settle(event)
        return event

    async def settle(self, event: PaymentSettled) -> None:
        async with self.database.transaction() as conn:
            await credit_payment(conn, event, self.clock.now())

    async def take_back(self, event: PaymentSettled, **changes: str) -> None:
        reversal = reversal_of(event, self.clock, **changes)
        async with self.database.transaction() as conn:
            await reverse_payment(conn, reversal, self.clock.now())

    def charges(self, *items: tuple[dict[str, Any], int], **changes: Any) -> ChargesBatch:
        """A batch of (opened account, amount) charges of 1 kWh each, a tenth of each being tax."""
        columns: dict[str, list[Any]] = {name: [] for name in ChargesBatch.model_fields}
        for opened, amount_micro in items:
            tax = amount_micro // 10
            installation_id = opened["installation_id"]
            begins = self.registers[installation_id]
            self.registers[installation_id] = begins + 1_000
            now_s = int(self.clock.now().timestamp())
            energy = ("energy", "peak", 2, 1_000, amount_micro - tax)
            lines = [energy, ("tax:vat", "", 0, 0, tax)]
            values = (
                *(installation_id, opened["account_id"], begins, begins + 1_000, now_s - 60, now_s),
                *(7, 1_000, amount_micro, tax, lines),
            )
            for name, value in zip(columns, values, strict=False):
                columns[name].append(value)
        return ChargesBatch.model_validate({**columns, "currency": "KES", **changes})

    async def charge(self, *items: tuple[dict[str, Any], int], **changes: Any) -> None:
        await self.post_batches(self.charges(*items, **changes))

    async def end(self, *opened: dict[str, Any], **changes: int) -> None:
        """Rating of closed installations ended at what was last charged, or as the changes say."""
        ends = [
            {
                "installation_id": one["installation_id"],
                "account_id": one["account_id"],
                "register_wh": self.registers[one["installation_id"]],
                "ended_at_s": int(self.clock.now().timestamp()),
                **changes,
            }
            for one in opened
        ]
        await self.post_batches(self.charges(ends=ends))

    async def post_batches(self, *batches: ChargesBatch) -> None:
        received = [Received(Meta(new_id(), "", "", self.clock.now()), batch) for batch in batches]
        async with self.database.transaction() as conn:
            await self.post_charges(conn, [(0, received)])

    async def decide(self) -> int:
        async with self.database.transaction() as conn:
            return await decide_due(conn, self.clock)

    async def receive(self, queue: str, event: Any) -> None:
        """As the frame would hand it over."""
        for subscription in subscriptions(self.clock):
            if isinstance(subscription, EventSubscription) and subscription.queue == queue:
                async with self.database.transaction() as conn:
                    meta = Meta(new_id(), event.event_type(), "", self.clock.now())
                    await subscription.handle(conn, event, meta)

    async def events(self, *names: str) -> list[dict[str, Any]]:
        """Bodies in the outbox, in order; of these events only, where named."""
        rows = await self.rows("SELECT routing_key, body FROM outbox ORDER BY id")
        return [
            {"event": row.routing_key, **orjson.loads(row.body)}
            for row in rows
            if not names or row.routing_key.split(".")[0] in names
        ]

    async def rows(self, query: str) -> list[Any]:
        async with self.database.connect() as conn:
            return list((await conn.execute(text(query))).all())

    async def broken(self) -> list[str]:
        """Names of the rules that do not hold."""
        found = await invariants.check(self.database, (*RULES, *AUDIT))
        return sorted({violation.rule.name for violation in found})


def reversal_of(
    event: PaymentSettled, clock: ManualClock, reason: str = "refunded_by_provider"
) -> PaymentReversed:
    return PaymentReversed(
        payment_id=event.payment_id,
        reversal_id=UUID(int=event.payment_id.int ^ 1),
        account_id=event.account_id,
        amount_micro=event.amount_micro,
        currency=event.currency,
        source=event.source,
        reason=reason,
        reversed_at=clock.now(),
    )
