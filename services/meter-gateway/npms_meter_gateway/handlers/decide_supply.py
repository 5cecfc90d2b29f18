"""An operator lets relays be worked again that are left alone."""

from npms_meter_gateway.handlers.change_ratio import UnknownMeter
from npms_meter_gateway.storage import readings, supplies, switching_decisions
from npms_shared.clock import Clock
from npms_shared.db.engine import Database


class NotMoved(Exception):
    """Nobody has moved the relay, or it was brought back since."""


class SupplyDesk:
    """Each decision is one transaction, kept with who made it and why."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def restore(self, installation_id: int, *, by: str, reason: str) -> None:
        """Bring a relay that somebody moved by hand back to what is desired, at once.

        Raises UnknownMeter, NotMoved.
        """
        async with self._database.transaction() as conn:
            if not await readings.is_known(conn, installation_id):
                raise UnknownMeter
            if not await supplies.forget_moved(conn, installation_id, now=self._clock.wall_now()):
                raise NotMoved
            await switching_decisions.add_decision(
                conn,
                "restore",
                installation_id=installation_id,
                by=by,
                reason=reason,
                at=self._clock.now(),
            )
