"""The bare loop: the same SQL, messages and frame as tariff and ledger, without the domain.

What it does not do is exactly what the services add: validation, rating, credit.
"""

import asyncio
from typing import Annotated, Any

import orjson
import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.bootstrap import build as build_ledger
from npms_ledger.handlers.charge_columns import gather
from npms_ledger.settings import LedgerSettings
from npms_ledger.storage import positions, postings
from npms_meter_gateway.handlers.record_readings import Readings
from npms_meter_gateway.outgoing import readings_batches
from npms_meter_gateway.storage import readings as reading_storage
from npms_shared.clock import wall_now
from npms_shared.contracts.meter_gateway import ReadingsBatch
from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.messaging import outbox
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import PartitionSubscription, Portion
from npms_shared.runtime import Service, serve
from npms_shared.settings import load_settings
from npms_tariff.bootstrap import build as build_tariff
from npms_tariff.domain.state import LISTS, NUMBERS
from npms_tariff.outgoing import charges_batch
from npms_tariff.settings import TariffSettings
from npms_tariff.storage import states
from npms_tools.bench.seeding import CURRENCY

AMOUNT_MICRO, TAX_MICRO, ENERGY_WH = 4_640_000, 640_000, 210
LINES = [
    ("energy", "peak", 2, ENERGY_WH, 4_000_000),
    ("tax:vat", "", 0, 0, 490_000),
    ("tax:levy", "", 0, 0, 150_000),
]
LINES_TEXT = orjson.dumps(LINES).decode()


class State:
    """What `save_states` writes of an installation, with nothing behind it."""

    def __init__(self, installation_id: int, version: int) -> None:
        self.installation_id, self.version = installation_id, version
        self.register_wh = self.read_at_s = self.rated_wh = self.charged_micro = 0
        self.readings_billed = 0
        self.moved = True
        for name in NUMBERS:
            setattr(self, name, 0)
        for name in LISTS:
            setattr(self, name, [])
        self.plan_version_id, self.month, self.days = 1, 202601, 1
        self.slots = [0] * 9


class BareTariff:
    def __init__(self) -> None:
        self._states: dict[int, Any] = {}

    async def __call__(self, conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]) -> None:
        touched: dict[int, Any] = {}
        said = []
        for partition, received in portions:
            charges: list[Any] = []
            for one in received:
                await self._learn(conn, one.batch.installation_id)
                self._charge(one.batch, touched, charges)
            said.append((partition, charges_batch(charges, CURRENCY)))
        await states.save_states(conn, list(touched.values()))
        await outbox.publish_batches(conn, said)

    def _charge(self, batch: ReadingsBatch, touched: dict[int, Any], charges: list[Any]) -> None:
        for installation_id, account_id, at_s, register_wh in zip(
            batch.installation_id,
            batch.account_id,
            batch.taken_at_s,
            batch.register_wh,
            strict=True,
        ):
            state = touched[installation_id] = self._states[installation_id]
            before_wh, state.register_wh = state.register_wh, register_wh
            before_s, state.read_at_s = state.read_at_s, at_s
            state.moved = state.moved or before_s // 3600 != at_s // 3600
            charges.append(
                (installation_id, account_id, before_wh, register_wh, before_s, at_s, 1,
                 ENERGY_WH, AMOUNT_MICRO, TAX_MICRO, LINES)
            )  # fmt: skip

    async def _learn(self, conn: AsyncConnection, ids: list[int]) -> None:
        missing = [one for one in ids if one not in self._states]
        if missing:
            for stored in await states.load_states(conn, missing):
                self._states[stored.installation_id] = State(
                    stored.installation_id, stored.values["version"]
                )


async def post_bare(conn: AsyncConnection, portions: list[Portion[ChargesBatch]]) -> None:
    columns = gather(vars(one.batch) for _, received in portions for one in received)
    account_ids, amounts = columns["account_id"], columns["amount_micro"]
    tallies = await positions.lock_tallies(conn, set(account_ids))
    seqs: list[int] = []
    afters: list[int] = []
    for account_id, amount in zip(account_ids, amounts, strict=True):
        tally = tallies[account_id]
        tally[0] -= amount
        tally[1] += 1
        seqs.append(tally[1])
        afters.append(tally[0])
    journal_id, tax = new_id(), TAX_MICRO * len(amounts)
    now = wall_now()
    await postings.insert_journal(conn, journal_id=journal_id, kind="charges", posted_at=now)
    system = [
        ("energy_revenue", CURRENCY, sum(amounts) - tax),
        ("tax_payable", CURRENCY, tax),
    ]
    await postings.insert_system(conn, journal_id, system)
    lines = [LINES_TEXT] * len(amounts)
    charges = postings.charge_texts({**columns, "seq": seqs, "after_micro": afters})
    await postings.insert_charges(conn, journal_id, charges, lines=lines)
    await positions.update_tallies(
        conn,
        list(tallies),
        balances_micro=[tally[0] for tally in tallies.values()],
        seqs=[tally[1] for tally in tallies.values()],
    )


class BareGateway:
    """Stores and tells readings as they come."""

    def __init__(self, database: Database, partitions: int, installations: int) -> None:
        self._database = database
        self._partition = [partition_of(n, partitions) for n in range(installations + 1)]

    async def record(self, readings: Readings) -> int:
        columns: dict[int, tuple[list[int], list[int], list[int], list[int]]] = {}
        for installation_id, at_s, register_wh in zip(
            readings.installation_id, readings.taken_at_s, readings.register_wh, strict=True
        ):
            partition = self._partition[installation_id]
            if partition not in columns:
                columns[partition] = ([], [], [], [])
            ids, accounts, times, registers = columns[partition]
            ids.append(installation_id)
            accounts.append(installation_id)
            times.append(at_s)
            registers.append(register_wh)
        async with self._database.transaction() as conn:
            await reading_storage.take_turns(conn, columns)
            await reading_storage.add_readings(conn, list(columns.values()))
            batches = [
                (partition, batch)
                for partition, column in sorted(columns.items())
                for batch in readings_batches(column)
            ]
            await outbox.publish_batches(conn, batches)
        return len(readings)


def main(service: Annotated[str, typer.Argument(help="tariff or ledger")]) -> None:
    """Run the bare stand-in of a service, with the service's own settings."""
    import uvloop

    built = _tariff() if service == "tariff" else _ledger()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(built, rest=True, work=True))


def _tariff() -> Service:
    built = build_tariff(load_settings(TariffSettings))
    built.subscriptions = [PartitionSubscription(ReadingsBatch, BareTariff())]
    built.loops, built.rules = [], ()
    return built


def _ledger() -> Service:
    built = build_ledger(load_settings(LedgerSettings))
    built.subscriptions = [PartitionSubscription(ChargesBatch, post_bare)]
    built.loops, built.rules = [], ()
    return built


if __name__ == "__main__":
    typer.run(main)
