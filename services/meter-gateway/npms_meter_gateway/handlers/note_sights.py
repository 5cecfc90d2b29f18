"""What polls show besides registers: power, voltage, the relay's state."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import installations, supplies


@dataclass(frozen=True, slots=True)
class MeterSight:
    """An installation's answer and when it came; `points` has every value of a slow read."""

    installation_id: int
    seen_at: datetime
    answer: MeterAnswer
    points: Mapping[str, Fraction] | None = None


async def note_sights(
    conn: AsyncConnection, context: Context, sights: Sequence[MeterSight]
) -> None:
    """Keep the newest sight of each meter; take up supplies seen other than desired."""
    newest: dict[int, MeterSight] = {}
    for sight in sights:
        newest[sight.installation_id] = _over(newest.get(sight.installation_id), sight)
    columns: dict[str, list[Any]] = {
        "installation_ids": list(newest),
        "seen_at": [sight.seen_at for sight in newest.values()],
        "power_w": [sight.answer.power_w for sight in newest.values()],
        "voltage_mv": [sight.answer.voltage_mv for sight in newest.values()],
        "relays": [sight.answer.relay for sight in newest.values()],
        "points": [_json_of(sight.points) for sight in newest.values()],
    }
    await installations.note_sights(conn, columns)
    idle_power_w = context.switching.idle_power_w
    await supplies.unsettle(conn, columns, idle_power_w=idle_power_w, now=context.clock.wall_now())


def _over(older: MeterSight | None, newer: MeterSight) -> MeterSight:
    """The newer sight, with what it did not look at kept from the older one."""
    if older is None:
        return newer
    answer = replace(
        newer.answer,
        values={**older.answer.values, **newer.answer.values},
        relay=older.answer.relay if newer.answer.relay is None else newer.answer.relay,
    )
    points = older.points if newer.points is None else newer.points
    return replace(newer, answer=answer, points=points)


def _json_of(points: Mapping[str, Fraction] | None) -> str | None:
    """Numbers with up to six decimals, for people to look at."""
    if points is None:
        return None
    return json.dumps({name: round(float(value), 6) for name, value in sorted(points.items())})
