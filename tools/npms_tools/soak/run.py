"""The course of a soak: open, trouble, watch, calm, decide, account."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

import psutil
from rich.console import Console

from npms_shared.clock import wall_now
from npms_tools.soak import reckoning
from npms_tools.soak.books import Books
from npms_tools.soak.deciding import decide
from npms_tools.soak.plan import split
from npms_tools.soak.reckoning import Corrected, Verdicts, Witness
from npms_tools.soak.report import show
from npms_tools.soak.scene import Scene
from npms_tools.soak.town import NotReachedError, Resident, Town
from npms_tools.street.fault_plan import FaultPlan

LOOK_EVERY_S = 1.0
TOLD_EVERY_S = 30.0
OPENING_S = 900.0
PAID_AT = 0.6
"""Of the time: until then the poor are cut, from then on half of them pay."""
AUDIT_WORDS = ("--stack", "soak", "--once", "--drain-seconds", "120")


class Soak:
    """One soak on a scene that runs already."""

    def __init__(
        self, scene: Scene, plan: FaultPlan, console: Console, *, minutes: float, interval_s: float
    ) -> None:
        self._scene, self._console = scene, console
        self._before, self._after = split(plan)
        self._seconds, self._interval_s = minutes * 60, interval_s
        self._residents: list[Resident] = []
        self._began_s = monotonic()

    async def play(self) -> bool:
        """Whether every value was accounted for and the audit is clean."""
        books = await Books.open(self._scene.services.databases["meter-gateway"].migration_url)
        try:
            async with Town(self._scene, minutes=self._seconds / 60) as town:
                await self._open(town, books)
                await self._trouble(town, books)
                corrected = await self._settle(town, books)
                verdicts = await self._account(town, books, corrected)
        finally:
            await books.close()
        return self._prove(verdicts)

    async def _open(self, town: Town, books: Books) -> None:
        """Accounts at registers that stand still, then all homes draw and all meters are polled."""
        self._scene.set_loads(0)
        self._scene.trouble(self._before)
        self._residents = await town.open_accounts(self._say)
        wanted = len(self._residents)
        self._say(f"{wanted} accounts open")
        await self._until(
            "the gateway knows all meters",
            lambda: _is(books.installations(), wanted),
            OPENING_S,
        )
        rtu = await town.set_transports()
        self._say(f"{rtu} gateways pass RTU frames through")
        self._scene.set_loads(None)
        self._scene.begin_polling()
        began_s = wall_now().timestamp()
        await self._until(
            "every meter was read",
            lambda: _is(books.read_since(began_s), wanted),
            self._interval_s * 3 + 60,
        )

    async def _trouble(self, town: Town, books: Books) -> None:
        self._say(f"{len(self._after.faults)} faults for {self._seconds:.0f} s")
        self._scene.trouble(self._after)
        used, began_s, told_s, has_paid = self._scene.cpu_seconds(), monotonic(), 0.0, False
        while (at_s := monotonic() - began_s) < self._seconds:
            if at_s >= told_s:
                await self._tell(books)
                told_s += TOLD_EVERY_S
            if at_s > PAID_AT * self._seconds and not has_paid:
                has_paid = True
                await town.pay([one for one in self._residents if one.is_poor][::2])
            await asyncio.sleep(LOOK_EVERY_S)
        took_s, after = monotonic() - began_s, self._scene.cpu_seconds()
        shares = {name: (after[name] - used[name]) / took_s for name in used if name in after}
        self._say("cores used: " + ", ".join(f"{n} {share:.2f}" for n, share in shares.items()))

    async def _settle(self, town: Town, books: Books) -> dict[int, Corrected]:
        """Faults end, registers rest, an operator decides what is held, all is read once more."""
        self._scene.calm()
        wanted = len(self._residents)
        patience_s = self._interval_s * 4 + 90
        calm_s = wall_now().timestamp() + 1
        self._say("faults taken away; nothing flows")
        await self._until(
            "every meter was read since",
            lambda: _is(books.read_since(calm_s), wanted),
            patience_s,
        )
        corrected = await decide(town, books, await _witness(town), self._residents)
        self._say(f"{len(corrected)} registers corrected by the street's own count")
        decided_s = wall_now().timestamp() + 1
        await self._until(
            "every meter was read since the decisions",
            lambda: _is(books.read_since(decided_s), wanted),
            patience_s,
        )

        async def is_settled() -> bool:
            return not await books.unsettled()

        await self._until("every supply is as desired", is_settled, patience_s)
        return corrected

    async def _account(
        self, town: Town, books: Books, corrected: Mapping[int, Corrected]
    ) -> Verdicts:
        """The books are read first: whatever stands in them the street has shown before."""
        verdicts = Verdicts()
        readings, held = await books.readings(), await books.held()
        witness = await _witness(town)
        meters = await town.call("GET", "street", "/meters")
        final_wh = {one["serial"]: one["energy_wh"] for one in meters}
        reckoning.check_readings(verdicts, witness, self._residents, readings, corrected)
        reckoning.check_energy(verdicts, self._residents, readings, final_wh)
        reckoning.check_held(verdicts, witness, self._residents, held)
        for row in await books.unsettled():
            verdicts.unexplained.append(f"supply is not settled: {dict(row)}")
        log = await town.call("GET", "street", "/faults/log", params={"since_s": 1e12})
        if log["lost"]:
            verdicts.unexplained.append(f"the street's journal lost {log['lost']} entries")
        show(self._console, verdicts, log["counts"])
        return verdicts

    def _prove(self, verdicts: Verdicts) -> bool:
        """`npms audit`, with the meters held still."""
        self._scene.services["meter-gateway"].stop()
        words = [sys.executable, "-c", "from npms_tools.cli import app; app()", "audit"]
        done = subprocess.run([*words, *AUDIT_WORDS], capture_output=True, text=True, check=False)
        self._console.print(done.stdout.rstrip(), markup=False, highlight=False)
        if done.returncode:
            self._console.print(done.stderr[-2000:], markup=False, highlight=False)
        is_clean = done.returncode == 0 and not verdicts.unexplained
        self._say("clean" if is_clean else "NOT CLEAN")
        return is_clean

    async def _tell(self, books: Books) -> None:
        counts = [
            f"{await books.count(what)} {what}"
            for what in ("readings", "held", "unreachable", "alarms", "off")
        ]
        self._say(", ".join(counts) + f"; load {psutil.getloadavg()[0]:.1f}")

    def _say(self, words: str) -> None:
        self._console.print(f"{monotonic() - self._began_s:6.0f} s  {words}", highlight=False)

    async def _until(
        self, what: str, probe: Callable[[], Awaitable[bool]], patience_s: float
    ) -> None:
        """Wait for it; that it does not come is said, and left to the account."""
        deadline = monotonic() + patience_s
        while not await probe():
            if monotonic() > deadline:
                if "knows" in what:
                    raise NotReachedError(f"not within {patience_s:.0f} s: {what}")
                self._say(f"not within {patience_s:.0f} s: {what}")
                return
            await asyncio.sleep(LOOK_EVERY_S)
        self._say(what)


async def _is(count: Awaitable[int], wanted: int) -> bool:
    return await count >= wanted


async def _witness(town: Town) -> Witness:
    shown = await town.call("GET", "street", "/shown")
    log = await town.call("GET", "street", "/faults/log")
    return Witness(shown, log["items"])
