"""Five databases and a broker driven by hand: what is said is heard at once, by real handlers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.support.databases import TestDatabase
from tests.support.tariff import charge_silence, tariff_context

from npms_ledger.consumers import subscriptions as ledger_hears
from npms_ledger.domain.debt import DebtKind, DebtTerms
from npms_ledger.domain.grant import GrantTerms
from npms_ledger.domain.periods import Period, PerPeriod
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms
from npms_ledger.handlers.change_account import close_account
from npms_ledger.handlers.debts import NewDebt, take_over_debt
from npms_ledger.handlers.decide_due import decide_due
from npms_ledger.handlers.grants import NewGrant, grant_credit
from npms_ledger.handlers.open_account import NewCustomer, OpenAccount, open_account
from npms_ledger.handlers.swap_meter import SwapMeter, swap_meter
from npms_meter_gateway.consumers import subscriptions as gateway_hears
from npms_meter_gateway.handlers.context import Context as GatewayContext
from npms_meter_gateway.handlers.publish_profiles import publish_profiles
from npms_meter_gateway.handlers.record_readings import ReadingRecorder, Readings
from npms_meter_gateway.profiles import load_profiles
from npms_payments.consumers import subscriptions as payments_hears
from npms_payments.domain.attempts import Limit
from npms_payments.domain.lifecycle import Fact
from npms_payments.domain.provider_events import ProviderEvent
from npms_payments.domain.records import Money, Policy
from npms_payments.handlers.context import Context
from npms_payments.handlers.hear_provider import hear_event
from npms_payments.handlers.make_vouchers import (
    MakeBatch,
    activate_batch,
    make_batch,
    print_batch,
)
from npms_payments.handlers.record_payment import RecordPayment, record_payment
from npms_payments.handlers.redeem_voucher import Redeem, attempt, redeem
from npms_shared.actor import Actor
from npms_shared.approval import Approval, checksum
from npms_shared.clock import ManualClock
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.contracts.meter_gateway import ReadingsBatch
from npms_shared.ids import new_id
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import (
    Meta,
    PartitionSubscription,
    Received,
    Subscription,
)
from npms_shared.messaging.topology import CONTRACT_OF
from npms_shared.money import AmountsByCurrency
from npms_tariff.consumers import subscriptions as tariff_hears
from npms_tariff.documents import PlanDocument
from npms_tariff.handlers.activate_plan import activate_version
from npms_tariff.handlers.context import Context as TariffContext
from npms_tariff.handlers.draft_plan import Draft, NewPlan, add_draft, create_plan, reviewed_of
from npms_tariff.handlers.read_plans import get_version
from npms_tariff.storage.states import StaleState

PARTITIONS = 16
BY, ANOTHER = Actor("test", ("operator",)), Actor("another", ("operator",))
OPENED_AT = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)
PROFILES = load_profiles()
PROFILE = "hiking_dds238_2_znsr"
KES = "KES"
PLAN = "home"
ALL_WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


_ORDER = text(
    """
    INSERT INTO payment (payment_id, account_id, amount_micro, currency, source, state,
                         created_at, created_by)
    VALUES (:id, :account_id, :amount_micro, 'KES', 'online:paysim', 'pending', :at, 'test')
    """
)
_CHECKOUT = text(
    "INSERT INTO checkout (payment_id, provider, expires_at) VALUES (:id, 'paysim', :at)"
)
_SECOND_READING = text(
    """
    SELECT installation_id, CAST(extract(epoch FROM taken_at) AS bigint) AS at_s, register_wh
    FROM reading JOIN installation USING (installation_id) WHERE account_id = :account_id
    ORDER BY taken_at OFFSET 1 LIMIT 1
    """
)
_SWITCH = text(
    """
    UPDATE supply SET settled = true, reported_state = desired_state, reported_verified = true,
                      reported_revision = desired_revision, reported_at = :at
    """
)


def prices(peak: str) -> PlanDocument:
    """Two periods, two blocks over all, a daily charge, a tax."""
    bands = (("off", "00:00", "06:00"), ("peak", "06:00", "22:00"), ("off", "22:00", "24:00"))
    return PlanDocument.model_validate(
        {
            "energy": {
                "periods": [
                    {
                        "name": "peak",
                        "blocks": [{"upto": "9", "price": peak}, {"price": "31.123456"}],
                    },
                    {
                        "name": "off",
                        "blocks": [{"upto": "9", "price": "11.333333"}, {"price": "17.000001"}],
                    },
                ],
                "schedule": [
                    {"period": period, "weekdays": ALL_WEEK, "from": start, "to": end}
                    for period, start, end in bands
                ],
            },
            "fixed": [
                {"name": "standing", "amount": "5.000000", "per": "day"},
                {"name": "network", "amount": "3.3", "per": "month", "collect": "first_vend"},
            ],
            "taxes": [
                {"name": "vat", "rate_ppm": 160_000, "on": ["energy", "standing", "network"]}
            ],
        }
    )


Databases = Mapping[str, TestDatabase]
"""By service."""


async def activate_seen(conn: Any, context: TariffContext, version: int) -> None:
    """By another person than wrote it."""
    seen = checksum(reviewed_of(await get_version(conn, PLAN, version)))
    await activate_version(conn, context, PLAN, version, by=ANOTHER, seen=seen)


@dataclass(slots=True)
class World:
    databases: Databases
    clock: ManualClock = field(default_factory=lambda: ManualClock(OPENED_AT))
    hearers: dict[str, list[Subscription]] = field(init=False)
    gateway: GatewayContext = field(init=False)
    recorder: ReadingRecorder = field(init=False)
    payments: Context = field(init=False)
    tariff: TariffContext = field(init=False)
    registers: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gateway = GatewayContext(
            self.databases["meter-gateway"].database, self.clock, PROFILES, partitions=PARTITIONS
        )
        self.recorder = ReadingRecorder(self.gateway)
        self.payments = Context(
            database=self.databases["payments"].database,
            clock=self.clock,
            policy=Policy(
                max_payment_micro=10**12,
                partner_day_limits=AmountsByCurrency({}),
                alone_limits=AmountsByCurrency({}),
                failures_per_account=Limit(5, timedelta(minutes=15)),
                failures_per_caller=Limit(20, timedelta(minutes=15)),
                order_lifetime=timedelta(hours=1),
                first_query=timedelta(seconds=30),
            ),
            providers={},
            pepper=b"a pepper for tests, thirty-two characters or more",
        )
        self.tariff = tariff_context(
            self.databases["tariff"].database, self.clock, partitions=PARTITIONS
        )
        self.hearers = {
            "ledger": ledger_hears(self.clock),
            "meter-gateway": gateway_hears(self.gateway),
            "payments": payments_hears(self.payments),
            "tariff": tariff_hears(self.tariff),
        }

    async def settle(self) -> None:
        """Carry messages until nobody has anything left to say."""
        while any([await self._carry(service) for service in self.databases]):
            pass

    async def _carry(self, service: str) -> int:
        async with self.databases[service].database.transaction() as conn:
            said = (await conn.execute(text("DELETE FROM outbox RETURNING *"))).all()
        for row in sorted(said, key=lambda row: row.id):
            contract = CONTRACT_OF[row.type]
            event = contract.model_validate_json(row.body)
            meta = Meta(row.message_id, row.type, row.subject, row.time)
            await self._hear(event, meta, row.routing_key)
        return len(said)

    async def _hear(self, event: Any, meta: Meta, routing_key: str) -> None:
        for service, subscriptions in self.hearers.items():
            for one in subscriptions:
                if not _wants(one, type(event)):
                    continue
                if isinstance(one, PartitionSubscription):
                    portion = int(routing_key), [Received(meta, event)]
                    await self._take(service, one, portion)
                else:
                    async with self.databases[service].database.transaction() as conn:
                        await one.handle(conn, event, meta)

    async def _take(self, service: str, one: PartitionSubscription, portion: Any) -> None:
        """As the frame does: forget what was stale, or charged before, and do it again."""
        try:
            async with self.databases[service].database.transaction() as conn:
                await one.handle(conn, [portion])
        except (StaleState, IntegrityError):
            one.forget(portion[0])
            async with self.databases[service].database.transaction() as conn:
                await one.handle(conn, [portion])

    async def plan(self) -> None:
        """A plan whose second version takes over two days after the opening."""
        plan = NewPlan(PLAN, "Home", "electricity", KES)
        first = Draft(self.clock.now(), prices("24.777777"))
        later = Draft(OPENED_AT + timedelta(days=2, minutes=7), prices("29.5"))
        async with self.databases["tariff"].database.transaction() as conn:
            await create_plan(conn, self.tariff, plan, first, by=BY)
            await add_draft(conn, self.tariff, PLAN, later, by=BY)
            for version in (1, 2):
                await activate_seen(conn, self.tariff, version)
        await self.settle()

    async def of_gateway(self, handler: Any, *words: Any, **more: Any) -> Any:
        """What a handler of the gateway answers, in a transaction of its own."""
        async with self.gateway.database.transaction() as conn:
            return await handler(conn, self.gateway, *words, **more)

    async def announce_profiles(self) -> None:
        await self.of_gateway(publish_profiles)
        await self.settle()

    async def open(
        self,
        number: int,
        *,
        debt_micro: int = 0,
        emergency: bool = False,
        time_zone: str = "Africa/Nairobi",
        profile: str = PROFILE,
        opening_wh: int = 1_000_000,
    ) -> int:
        """An account with a meter that shows 1,000,000 Wh; returns the account's id."""
        terms = EmergencyTerms(50_000_000, 0, 60_000_000, needs_acceptance=False)
        command = OpenAccount(
            customer=NewCustomer(f"Customer {number}", "en", ()),
            time_zone=time_zone,
            currency=KES,
            label=f"House {number}",
            commodity="electricity",
            max_power_w=13_800,
            meter=MeterConnection(
                serial=f"M{number}", profile=profile, host=f"10.0.0.{number}", port=502, unit_id=1
            ),
            opening_register_wh=opening_wh,
            plan_code=PLAN,
            policy=CreditPolicy(debt_share_ppm=250_000, emergency=terms if emergency else None),
            opening_debt_micro=debt_micro,
        )
        async with self.databases["ledger"].database.transaction() as conn:
            opened = await open_account(conn, command, now=self.clock.now(), by="test")
        await self.settle()
        self.registers[opened.installation_id] = command.opening_register_wh
        return opened.account.account_id

    async def vouchers(self, count: int, *, value_micro: int) -> list[str]:
        """PINs of an active batch."""
        expires_at = self.clock.now() + timedelta(days=365)
        command = MakeBatch(value_micro, KES, count, expires_at, by="test")
        async with self.payments.database.transaction() as conn:
            made = await make_batch(conn, self.payments, command)
            batch, printed = await print_batch(conn, self.payments, made.batch_id, by="printer")
            approval = Approval("another", checksum(asdict(batch)))
            await activate_batch(conn, self.payments, batch.batch_id, approval=approval)
        return [one.pin for one in printed]

    async def redeem(self, account_id: int, pin: str) -> None:
        async def work(conn: Any, guards: Any) -> Any:
            command = Redeem(account_id, pin, by="test")
            return await redeem(conn, self.payments, command, guards)

        await attempt(self.payments, account_id=account_id, by="test", work=work)
        await self.settle()

    async def pay(self, account: str, reference: str, *, amount_micro: int) -> None:
        """Money by the bank: to the account, or into suspense where there is no such account."""
        command = RecordPayment(account, Money(amount_micro, KES, "bank", reference), by="test")
        async with self.payments.database.transaction() as conn:
            await record_payment(conn, self.payments, command)
        await self.settle()

    async def pay_online_and_reverse(self, account_id: int, *, amount_micro: int) -> None:
        """An order that a provider settled, and gave back later."""
        order_id, at = new_id(), self.clock.now()
        async with self.payments.database.transaction() as conn:
            await conn.execute(
                _ORDER,
                {"id": order_id, "account_id": account_id, "at": at, "amount_micro": amount_micro},
            )
            await conn.execute(_CHECKOUT, {"id": order_id, "at": at})
        for fact in (Fact.SUCCEEDED, Fact.REVERSED):
            event = ProviderEvent(
                provider="paysim",
                event_id=f"{fact}-{order_id}",
                fact=fact,
                order_id=order_id,
                txn_id=f"txn-{fact}",
                amount_micro=amount_micro,
                currency=KES,
                of_txn_id=f"txn-{Fact.SUCCEEDED}" if fact is Fact.REVERSED else None,
            )
            async with self.payments.database.transaction() as conn:
                await hear_event(conn, self.payments, event, body=b"{}")
            await self.settle()

    async def tell_again(self, account_id: int) -> None:
        """The gateway's second reading of an account comes to tariff once more."""
        async with self.databases["meter-gateway"].database.connect() as conn:
            row = (await conn.execute(_SECOND_READING, {"account_id": account_id})).one()
        again = ReadingsBatch(
            installation_id=[row.installation_id],
            account_id=[account_id],
            taken_at_s=[row.at_s],
            register_wh=[row.register_wh],
        )
        meta = Meta(new_id(), again.event_type(), "", self.clock.now())
        await self._hear(again, meta, str(partition_of(account_id, PARTITIONS)))

    async def be_silent(self, days: int) -> None:
        """No meter answers for so long; every whole day of it is estimated."""
        self.clock.advance(timedelta(days=days))
        await charge_silence(self.tariff)
        await self.settle()

    async def owe_by_the_day(self, account_id: int) -> None:
        """A second debt, of which something is taken every day."""
        terms = DebtTerms("reconnection", DebtKind.TIME, rate=PerPeriod(1_500_000, Period.DAY))
        new = NewDebt(terms, 40_000_000, "the fee of last week")
        async with self.databases["ledger"].database.transaction() as conn:
            await take_over_debt(conn, account_id, new, now=self.clock.now(), by="test")

    async def grant(self, account_id: int) -> None:
        """Some of it is used, and some expires."""
        terms = GrantTerms("welcome", amount_micro=300_000_000)
        new = NewGrant(terms, self.clock.now() + timedelta(days=1), "a promotion")
        async with self.databases["ledger"].database.transaction() as conn:
            await grant_credit(conn, account_id, new, now=self.clock.now(), by="test")

    async def decide(self) -> None:
        """What time alone asks of the ledger."""
        decided = 1
        while decided:
            async with self.databases["ledger"].database.transaction() as conn:
                decided = await decide_due(conn, self.clock)
        await self.settle()

    async def swap(self, account_id: int, installation_id: int) -> None:
        """Another meter at the same place, which begins at 40 Wh."""
        self.clock.advance(timedelta(minutes=20))
        command = SwapMeter(
            account_id=account_id,
            installation_id=installation_id,
            closing_register_wh=self.registers.pop(installation_id) + 33,
            meter=MeterConnection(
                serial="M99", profile=PROFILE, host="10.0.0.99", port=502, unit_id=1
            ),
            opening_register_wh=40,
            reason="broken display",
        )
        async with self.databases["ledger"].database.transaction() as conn:
            new = await swap_meter(
                conn, command, by=Actor("test", ("operator",)), now=self.clock.now()
            )
        await self.settle()
        self.registers[new] = command.opening_register_wh

    async def close(self, account_id: int) -> None:
        self.clock.advance(timedelta(minutes=50))
        async with self.databases["ledger"].database.transaction() as conn:
            await close_account(conn, account_id, self.clock.now())
        await self.settle()

    async def switch(self) -> None:
        """Every relay was seen to be as desired."""
        async with self.databases["meter-gateway"].database.transaction() as conn:
            await conn.execute(_SWITCH, {"at": self.clock.now()})

    async def read(self, after: timedelta, used_wh: int) -> None:
        """One reading of every meter, each having used a little more than the one before."""
        self.clock.advance(after)
        at_s = int(self.clock.now().timestamp())
        for rank, installation_id in enumerate(self.registers):
            self.registers[installation_id] += used_wh + rank
        readings = Readings(
            list(self.registers), [at_s] * len(self.registers), list(self.registers.values())
        )
        outcome = await self.recorder.record_readings(readings, source="test")
        assert outcome.accepted == len(readings), outcome.others
        await self.settle()
        await self.decide()


async def fill(world: World) -> None:
    """A small consistent history: three days across a month's end, of three customers.

    1 pays by voucher, 2 by bank with a debt and emergency credit, 3 has a payment reversed,
    who has another meter later, 4 moves out. Twice no meter is heard of for some days; after the
    second time none is yet.
    """
    await world.announce_profiles()
    await world.plan()
    accounts = [
        await world.open(1),
        await world.open(2, debt_micro=20_000_000, emergency=True),
        await world.open(3),
        await world.open(4),
    ]
    pins = await world.vouchers(3, value_micro=100_000_000)
    await world.redeem(accounts[0], pins[0])
    await world.redeem(accounts[0], pins[1])
    await world.pay(str(accounts[1]), "statement-1", amount_micro=80_000_000)
    await world.pay("nobody", "statement-2", amount_micro=5_000_000)
    await world.pay_online_and_reverse(accounts[2], amount_micro=40_000_000)
    for used_wh in (0, 700, 1500, 40, 2600, 900, 900, 3100):
        await world.read(timedelta(hours=9, minutes=11), used_wh)
        if used_wh == 40:
            await world.owe_by_the_day(accounts[1])
            await world.grant(accounts[0])
            await world.swap(accounts[2], 3)
    await world.be_silent(3)
    await world.read(timedelta(hours=5), 4000)
    await world.pay(str(accounts[1]), "statement-3", amount_micro=30_000_000)
    await world.tell_again(accounts[0])
    await world.close(accounts[3])
    await world.be_silent(2)
    await world.switch()


def _wants(one: Subscription, contract: type) -> bool:
    if isinstance(one, PartitionSubscription):
        return one.contract is contract
    return contract in one.contracts
