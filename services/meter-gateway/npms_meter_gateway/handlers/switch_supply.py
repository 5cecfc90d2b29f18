"""What supply should be, what it was seen to be, and how both come together (rule 5)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.reconciling import Desired, Finding, SwitchingPolicy, pause_s
from npms_meter_gateway.handlers.raise_event import raise_event
from npms_meter_gateway.outgoing import supply_reported
from npms_meter_gateway.storage import events, supplies
from npms_shared.clock import Clock
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.db.engine import Database
from npms_shared.messaging import outbox


@dataclass(frozen=True, slots=True)
class DueSupply:
    """A supply that is not as desired, with how often that was tried in vain."""

    installation_id: int
    account_id: int
    desired: Desired
    attempts: int
    alarmed: bool
    reported: tuple[int | None, str | None, bool | None, int | None]
    reported_detail: str | None
    profile: str
    host: str
    port: int
    unit_id: int

    @property
    def was_in_place(self) -> bool:
        """Whether this very revision was reported done before: then the relay has moved since."""
        done = (self.desired.revision, self.desired.state, True)
        return self.reported[:3] == done and not self.attempts


async def accept_desired_supply(conn: AsyncConnection, event: SupplyDesired, clock: Clock) -> None:
    """The newest revision is worked toward; an older one changes nothing."""
    await supplies.desire(conn, event, now=clock.wall_now())


class SupplyBook:
    """The desired and reported states, as the switching loop needs them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        policy: SwitchingPolicy,
        *,
        holder: UUID | None = None,
    ) -> None:
        """`holder` is the worker whose gateways' supplies are due here; None is all."""
        self._database, self._clock, self.policy = database, clock, policy
        self._holder = holder

    async def due(self, limit: int) -> list[DueSupply]:
        """What may be tried now, reconnections first."""
        async with self._database.connect() as conn:
            rows = await supplies.due(
                conn, now=self._clock.wall_now(), limit=limit, holder=self._holder
            )
        return [_due(row) for row in rows]

    async def desired(self, installation_id: int) -> Desired | None:
        """The desired state at this moment: asked again right before a command."""
        async with self._database.connect() as conn:
            return await supplies.desired(conn, installation_id)

    async def postpone(self, supply: DueSupply, pause: float) -> None:
        """Nothing could be seen: try again after `pause` real seconds, without counting it."""
        until = self._clock.wall_now() + timedelta(seconds=pause)
        async with self._database.transaction() as conn:
            await supplies.postpone(
                conn, supply.installation_id, revision=supply.desired.revision, next_try_at=until
            )

    async def report_in_place(self, supply: DueSupply, finding: Finding, *, moved: bool) -> None:
        """It is as desired; `moved` tells that somebody else had moved it meanwhile."""
        async with self._database.transaction() as conn:
            noted = await self._note(conn, supply, finding, attempts=0, settled=True)
            if noted and moved:
                await self._raise(conn, supply, "relay_moved", "was not as it had been left")

    async def report_failure(self, supply: DueSupply, finding: Finding) -> None:
        """An attempt was in vain: cool down, and after some attempts tell a person, once."""
        attempts = supply.attempts + 1
        alarms = attempts >= self.policy.alarm_after and not supply.alarmed
        async with self._database.transaction() as conn:
            noted = await self._note(
                conn, supply, finding, attempts=attempts, settled=False, alarms=alarms
            )
            if noted and alarms:
                detail = f"desired {supply.desired.state}, {attempts} attempts; {finding.detail}"
                await self._raise(conn, supply, "relay_stuck", detail)

    async def report_no_relay(self, supply: DueSupply) -> None:
        """This meter cannot be switched: say so for every revision, and to a person once."""
        finding = Finding("unknown", verified=False, in_place=False, detail="no relay")
        async with self._database.transaction() as conn:
            await self._note(conn, supply, finding, attempts=0, settled=True)
            known = await events.has_event(conn, supply.installation_id, kind="no_relay")
            if supply.desired.state == "off" and not known:
                await self._raise(conn, supply, "no_relay", f"profile {supply.profile} has none")

    async def _note(
        self,
        conn: AsyncConnection,
        supply: DueSupply,
        finding: Finding,
        *,
        attempts: int,
        settled: bool,
        alarms: bool = False,
    ) -> bool:
        """Keep the finding and tell it if it is news; False when a newer revision came."""
        revision = supply.desired.revision
        pause = pause_s(max(attempts, 1), self.policy)
        noted = await supplies.report(
            conn,
            supply.installation_id,
            finding,
            revision=revision,
            attempts=attempts,
            alarmed=not settled and (supply.alarmed or alarms),
            settled=settled,
            next_try_at=self._clock.wall_now() + timedelta(seconds=pause),
            now=self._clock.now(),
        )
        seen = (revision, finding.state, finding.verified, finding.limit_w)
        is_news = seen != supply.reported
        if noted and is_news:
            event = supply_reported(
                supply.installation_id,
                supply.account_id,
                finding,
                revision=revision,
                at=self._clock.now(),
            )
            await outbox.publish(conn, event, subject=str(supply.account_id))
        return noted

    async def _raise(
        self, conn: AsyncConnection, supply: DueSupply, kind: str, detail: str
    ) -> None:
        await raise_event(
            conn,
            self._clock,
            installation_id=supply.installation_id,
            account_id=supply.account_id,
            kind=kind,
            detail=detail,
        )


def _due(row: Row[Any]) -> DueSupply:
    return DueSupply(
        installation_id=row.installation_id,
        account_id=row.account_id,
        desired=Desired(
            row.desired_state, row.desired_revision, row.desired_reason, row.desired_limit_w
        ),
        attempts=row.attempts,
        alarmed=row.alarmed,
        reported=(
            row.reported_revision,
            row.reported_state,
            row.reported_verified,
            row.reported_limit_w,
        ),
        reported_detail=row.reported_detail,
        profile=row.profile,
        host=row.host,
        port=row.port,
        unit_id=row.unit_id,
    )
