"""The five services side by side, each on its own database, told what the ledger says by hand."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer

from npms_shared.clock import wall_now
from npms_shared.contracts.base import Event
from npms_shared.contracts.meter_gateway import ProfilePublished
from npms_shared.contracts.tariff import PlanVersionActivated
from npms_shared.ids import new_id
from npms_shared.messaging.subscriptions import EventSubscription, Meta
from npms_shared.messaging.topology import CONTRACT_OF, QUEUES
from npms_shared.runtime import Service
from npms_shared.settings import read_settings
from npms_tools.provider.cli import make_secret

SERVICES = ("ledger", "tariff", "meter-gateway", "payments", "notifier")
PROFILE = "hiking_dds238_2_znsr"
SECRET = make_secret()
EXTRA: dict[str, dict[str, Any]] = {
    "meter-gateway": {"poll": False},
    "payments": {
        "voucher_pepper": "a pepper for tests, thirty-two characters or more",
        "paysim_url": "http://127.0.0.1:9",
        "paysim_webhook_secrets": SECRET,
        "voucher_failures_per_account": 1_000_000,
        "voucher_failures_per_caller": 1_000_000,
    },
    "notifier": {
        "smtp_host": "127.0.0.1",
        "smtp_sender": "credit@npms.example",
        "sms_url": "http://127.0.0.1:9/sms",
        "sms_api_key": "for-tests-only",
        "code_pepper": "another pepper for tests, thirty-two characters or more",
    },
}
PLAN: dict[str, Any] = {
    "plan_code": "household",
    "name": "Household",
    "currency": "KES",
    "valid_from": "2020-01-01T00:00:00+03:00",
    "document": {
        "energy": {
            "periods": [
                {"name": "day", "blocks": [{"price": "24.5"}]},
                {"name": "night", "blocks": [{"price": "12"}]},
            ],
            "schedule": [
                {"period": "night", "weekdays": ["sat", "sun"], "from": "00:00", "to": "24:00"},
                {
                    "period": "day",
                    "weekdays": ["mon", "tue", "wed", "thu", "fri"],
                    "from": "00:00",
                    "to": "24:00",
                },
            ],
        },
        "fixed": [{"name": "standing", "amount": "5", "per": "day"}],
        "taxes": [{"name": "vat", "rate_ppm": 160_000, "on": ["energy", "standing"]}],
    },
}
POLICY: dict[str, Any] = {
    "currency": "KES",
    "floor": "0",
    "low_balance": [{"at": "50", "rearm": "60"}],
    "emergency": {"limit": "30", "offer_at": "10", "reoffer_above": "40"},
    "debt_share_ppm": 250_000,
    "friendly_hours": [{"days": ["mon"], "from": "18:00", "to": "08:00"}],
    "holidays": ["2026-12-25"],
}
PLAN_CORRECTION = {
    "kind": "plan",
    "plan_code": "household",
    "version": 1,
    "reason": "The regulator's price holds from the first",
}
MONEY = {"amount": "100", "currency": "KES"}
NUMBERS = iter(range(1, 1_000_000))


@dataclass
class Five:
    """`mine` is an account of customer 2's, `theirs` one of customer 1's."""

    services: dict[str, Service]
    clients: dict[str, httpx.AsyncClient]
    issuer: TestIssuer
    mine: int = 0
    theirs: int = 0
    customer_id: int = 0
    openapi: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_staff(self) -> dict[str, str]:
        return self.issuer.headers("operator", "admin", "service")

    def as_customer(self) -> dict[str, str]:
        return self.issuer.headers("customer", customer_id=self.customer_id)

    async def call(
        self, service: str, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        """As staff, with a fresh Idempotency-Key, unless said otherwise."""
        headers = {"If-Match": '"unseen"', **(options.pop("headers", None) or self.as_staff())}
        key = options.pop("key", str(new_id()))
        if key:
            headers = {**headers, "Idempotency-Key": key}
        if body is not None:
            options["json"] = body
        return await self.clients[service].request(method, path, headers=headers, **options)

    async def good(self, service: str, method: str, path: str, body: Any = None) -> Any:
        answer = await self.call(service, method, path, body)
        assert answer.is_success, answer.text
        return answer.json()

    async def agree(self, service: str, place: str, verb: str = "approve") -> None:
        """A second person looks at what waits, and decides about what they saw."""
        second = self.issuer.headers("operator", "admin", subject="second-person")
        seen = await self.call(service, "GET", place, headers=second)
        headers = {**second, "If-Match": seen.headers.get("ETag", "")}
        body = {"reason": "Looked into it."}
        answer = await self.call(service, "POST", f"{place}/{verb}", body, headers=headers)
        assert answer.is_success, answer.text

    async def hear(self, event: Event) -> None:
        """Let every service hear it that would over the broker."""
        for queue, contracts in QUEUES.items():
            if type(event) in contracts:
                await self._hear(self.services[queue.partition(".")[0]], queue, event)

    async def _hear(self, service: Service, queue: str, event: Event) -> None:
        [found] = [
            subscription
            for subscription in service.subscriptions
            if isinstance(subscription, EventSubscription) and subscription.queue == queue
        ]
        async with service.database.transaction() as conn:
            await found.handle(conn, event, Meta(new_id(), event.event_type(), "", wall_now()))

    async def pass_on(self, service: str) -> None:
        """What the service has said so far is heard by the others."""
        async with self.services[service].database.transaction() as conn:
            said = await conn.execute(text("DELETE FROM outbox RETURNING type, body, id"))
            rows = sorted(said.all(), key=lambda row: row.id)
        for row in rows:
            await self.hear(CONTRACT_OF[row.type].model_validate_json(row.body))

    async def prepare(self) -> None:
        """A plan, a profile, a policy, and an account of each of two customers."""
        await self.good("tariff", "POST", "/v1/plans", PLAN)
        await self.agree("tariff", "/v1/plans/household/versions/1", "activate")
        await self.hear(
            PlanVersionActivated(
                plan_code="household",
                version=1,
                plan_version_id=1,
                currency="KES",
                valid_from=wall_now(),
            )
        )
        profile = ProfilePublished(profile=PROFILE, vendor="v", model="m", has_relay=True)
        await self.hear(profile)
        asked = await self.good("ledger", "PUT", "/v1/credit-policies/standard", POLICY)
        await self.agree("ledger", f"/v1/credit-policy-requests/{asked['request_id']}")
        theirs = await self.good("ledger", "POST", "/v1/accounts", account_request())
        mine = await self.good("ledger", "POST", "/v1/accounts", account_request())
        self.theirs, self.mine = theirs["account_id"], mine["account_id"]
        self.customer_id = mine["customer_id"]
        await self.pass_on("ledger")


def account_request() -> dict[str, Any]:
    number = next(NUMBERS)
    return {
        "customer": {
            "name": f"Customer {number}",
            "language": "en",
            "contacts": [{"channel": "sms", "address": "+254712345678"}],
        },
        "time_zone": "Africa/Nairobi",
        "currency": "KES",
        "usage_point": {"label": "Plot 12, door 3", "max_power_w": 10_000},
        "meter": {
            "serial": f"M{number}",
            "profile": PROFILE,
            "host": "127.0.0.1",
            "port": 0,
            "unit_id": 1,
        },
        "opening_register": {"value": "100.000"},
        "plan_code": "household",
        "credit_policy": "standard",
        "opening_debt": MONEY,
    }


def bodies() -> dict[str, Any]:
    """A good body of every operation that takes one; a new one takes its place here."""
    number = next(NUMBERS)
    version = {"valid_from": PLAN["valid_from"], "document": PLAN["document"]}
    reading = {
        "installation_id": 1,
        "taken_at": wall_now().isoformat(),
        "register_wh": 100_000,
    }
    return {
        "open_account": account_request(),
        "protect_account": {"protected": False},
        "put_credit_policy": POLICY,
        "swap_meter": {
            "closing_register": {"value": "150.000"},
            "meter": {**account_request()["meter"], "serial": f"N{number}"},
            "opening_register": {"value": "0.000"},
            "reason": "Burnt terminal.",
        },
        "move_out": {"final_readings": [], "reason": "Moves to another town."},
        "request_refund": {"payee": "A. Otieno", "reason": "Moved out."},
        "pay_refund": {"reference": "FT26045XYZ"},
        "fix_money": {"amount": MONEY, "reason": "Counted twice."},
        "transfer_credit": {"to_account_id": 2, "amount": MONEY, "reason": "Next door."},
        "reallocate_payment": {"to_account_id": 2, "reason": "Meant for the house next door."},
        "approve_money_request": {"reason": "Seen on the statement."},
        "reject_money_request": {"reason": "Not on the statement."},
        "approve_credit_policy_request": {"reason": "As the board decided."},
        "reject_credit_policy_request": {"reason": "Not as the board decided."},
        "add_debt": {"label": "arrears", "amount": MONEY, "reason": "agreed"},
        "change_debt": {"label": "arrears", "share_ppm": 100_000, "reason": "hardship"},
        "grant_credit": {"label": "free units", "amount": MONEY, "reason": "on the register"},
        "end_grant": {"reason": "granted by mistake"},
        "keep_supply_on": {"until": "2100-01-01T00:00:00+00:00", "reason": "Oxygen machine."},
        "approve_mass_cut": {"reason": "The new floor is right."},
        "reject_mass_cut": {"reason": "The new floor is wrong."},
        "finish_review_task": {"note": "Visited; agreed on instalments."},
        "foresee_cuts_of_policy": {"credit_policy": "standard", "policy": POLICY, "hours": 24},
        "create_plan": {**PLAN, "plan_code": f"plan-{number}"},
        "add_plan_version": version,
        "replace_plan_draft": version,
        "preview_correction": PLAN_CORRECTION,
        "request_correction": PLAN_CORRECTION,
        "reject_correction": {"reason": "The price was right."},
        "release_billing_hold": {"reason": "Misread on site."},
        "simulate_plan": {
            "of": {"plan_code": "household"},
            "under": {"plan_code": "household", "version": 1},
        },
        "quote_units": {"money": MONEY},
        "release_held_reading": {"reason": "Counter cleared by the fitter."},
        "correct_held_reading": {
            "register": {"value": "1250.000"},
            "counts_on": True,
            "reason": "Photo of the display.",
        },
        "reject_held_reading": {"all_of_cause": False, "reason": "Two meters mixed up."},
        "change_ratio": {
            "from": wall_now().isoformat(),
            "ratio": "40",
            "register": {"value": "100.000"},
            "reason": "Transformers of 200/5 A.",
        },
        "put_feeder": {
            "members": [1],
            "tolerance_percent": "8",
            "time_zone": "Africa/Nairobi",
            "reason": "Transformer measured.",
        },
        "restore_supply": {"reason": "The electrician has left, work order 4711."},
        "resume_supply_openings": {"reason": "Approved disconnections of November."},
        "accept_serial": {"serial_number": "41185206", "reason": "Work order 4711."},
        "record_readings": {"readings": [reading]},
        "change_gateway": {"site": "Kiberyo Court"},
        "order_top_up": {"amount": MONEY, "provider": "paysim"},
        "redeem_voucher": {"pin": "1234 5678 9012 3456 78"},
        "record_payment": {
            "account_number": "1",
            "amount": MONEY,
            "source": "bank",
            "reference": f"FT-{number}",
        },
        "make_voucher_batch": {
            "value": MONEY,
            "count": 1,
            "expires_at": "2100-01-01T00:00:00+00:00",
        },
        "set_partner_limit": {"day_limit": MONEY, "reason": "Ten tills since December."},
        "reject_voucher_batch": {"reason": "The printer jammed."},
        "return_suspense": {"reference": "FT26340-12", "reason": "The payer asked for it."},
        "allocate_suspense": {"account_id": 1, "reason": "The payer wrote 11 for 1."},
        "receive_webhook": {"type": "checkout.paid"},
        "replace_contacts": {
            "language": "en",
            "contacts": [{"channel": "sms", "address": "+254712345678"}],
        },
        "confirm_contact": {"code": "123456"},
        "open_ticket": {"subject": "Why twice?", "body": "My statement shows two entries."},
        "write_ticket_message": {"body": "The second is the daily charge."},
        "replay_parked_message": {"reason": "The plan exists by now."},
        "drop_parked_message": {"reason": "Planted by a test."},
        "retry_unroutable_message": {"reason": "The queue exists by now."},
        "drop_unroutable_message": {"reason": "Planted by a test."},
    }


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a service's OpenAPI document."""

    service: str
    method: str
    path: str
    name: str
    described: dict[str, Any]

    @property
    def takes_body(self) -> bool:
        return "requestBody" in self.described

    def parameters(self, place: str) -> list[str]:
        named = self.described.get("parameters", [])
        return [parameter["name"] for parameter in named if parameter["in"] == place]

    def path_with(self, **values: Any) -> str:
        """The path filled in; what is not given is of nobody and nothing."""
        nothing = {
            "account_id": 999_999,
            "installation_id": 999_999,
            "version": 1,
            "channel": "sms",
        }
        nothing["gateway_id"] = 999_999
        nothing["seq"] = 1
        month = wall_now().astimezone(ZoneInfo("Africa/Nairobi")).strftime("%Y-%m")
        nothing["billing_hold_id"] = nothing["held_id"] = nothing["debt_no"] = nothing[
            "grant_no"
        ] = 999_999
        nowhere = {"month": month, "plan_code": "nowhere", "code": "nowhere", "provider": "paysim"}
        nowhere["partner_id"] = "nobody"
        uuids = dict.fromkeys(
            (
                *("parked_id", "unroutable_id", "payment_id", "suspense_id", "batch_id"),
                *("ticket_id", "request_id", "refund_id", "correction_id"),
                *("mass_cut_id", "review_task_id"),
            ),
            str(new_id()),
        )
        return self.path.format_map({**nothing, **nowhere, **uuids, **values})


def operations(service: str, document: dict[str, Any]) -> Iterator[Operation]:
    """Those of the interface proper, not of probes."""
    for path, methods in document["paths"].items():
        if path.startswith("/v1/"):
            for method, described in methods.items():
                name = described["operationId"]
                yield Operation(service, method.upper(), path, name, described)


@asynccontextmanager
async def five_services(
    make: Callable[[str], Awaitable[TestDatabase]], issuer: TestIssuer
) -> AsyncIterator[Five]:
    services = {name: await _built(name, make, issuer) for name in SERVICES}
    clients = {
        name: httpx.AsyncClient(
            transport=httpx.ASGITransport(service.app, raise_app_exceptions=False),
            base_url=f"http://{name}",
        )
        for name, service in services.items()
    }
    documents = {name: service.app.openapi() for name, service in services.items()}
    five = Five(services, clients, issuer, openapi=json.loads(json.dumps(documents)))
    await five.prepare()
    try:
        yield five
    finally:
        for service in services.values():
            for close in (*service.closers, service.database.close):
                await close()


async def _built(
    name: str, make: Callable[[str], Awaitable[TestDatabase]], issuer: TestIssuer
) -> Service:
    package = f"npms_{name.replace('-', '_')}"
    module = import_module(f"{package}.settings")
    settings_class = getattr(module, f"{name.title().replace('-', '')}Settings")
    made = await make(name)
    settings = read_settings(
        settings_class,
        database_url=made.url,
        amqp_url="amqp://nobody.invalid/",
        jwks_path=issuer.jwks_path,
        refused_tokens_per_minute_and_address=100_000,
        costly_per_minute_and_caller=100_000,
        costly_per_minute_and_address=100_000,
        **EXTRA.get(name, {}),
    )
    service: Service = import_module(f"{package}.bootstrap").build(settings)
    return service
