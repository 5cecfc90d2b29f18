"""Readings, added once and never changed, and the cursors by which writers take turns."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import chain
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import Moment, Neighbours
from npms_meter_gateway.domain.meters import AcceptedReading
from npms_meter_gateway.domain.reckoning import PLAIN, Reckoning
from npms_meter_gateway.domain.validation import Columns, RegisterState

_TURN = text(
    """
    WITH held AS (
        SELECT partition FROM reading_cursor WHERE partition = ANY(CAST(:partitions AS int[]))
        ORDER BY partition FOR UPDATE
    )
    UPDATE reading_cursor c SET version = version + 1
    FROM held WHERE c.partition = held.partition
    RETURNING c.partition, c.version
    """
)
_REGISTER_STATES = text(
    """
    SELECT i.installation_id, i.account_id, i.partition, i.profile, i.max_power_w,
           i.closed_at IS NOT NULL AS closed, r.register_wh IS NOT NULL AS has_readings,
           CAST(floor(extract(epoch FROM coalesce(r.taken_at, i.opened_at))) AS bigint) AS at_s,
           coalesce(r.register_wh, i.opening_register_wh) AS register_wh,
           k.raw_wh, k.base_wh, k.ratio, s.installation_id IS NOT NULL AS is_foreign
    FROM installation i
    LEFT JOIN LATERAL (
        SELECT taken_at, register_wh FROM reading
        WHERE installation_id = i.installation_id ORDER BY taken_at DESC LIMIT 1
    ) r ON true
    LEFT JOIN LATERAL (
        SELECT raw_wh, base_wh, ratio FROM reckoning
        WHERE installation_id = i.installation_id ORDER BY from_at DESC LIMIT 1
    ) k ON true
    LEFT JOIN suspicion s USING (installation_id)
    WHERE i.installation_id = ANY(CAST(:installation_ids AS bigint[]))
    """
)
_SINCE = text(
    """
    SELECT i.partition, r.installation_id, i.account_id,
           CAST(extract(epoch FROM r.taken_at) AS bigint), r.register_wh
    FROM reading r JOIN installation i USING (installation_id)
    WHERE r.installation_id = ANY(CAST(:installation_ids AS bigint[])) AND r.taken_at >= :since
    ORDER BY r.installation_id, r.taken_at
    """
)
_ADD = text(
    """
    INSERT INTO reading (installation_id, taken_at, register_wh)
    SELECT id, to_timestamp(at), register
    FROM unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[]), CAST(:registers AS bigint[]))
         AS t (id, at, register)
    """
)
_AT = text(
    """
    SELECT r.installation_id, CAST(extract(epoch FROM r.taken_at) AS bigint) AS at_s, r.register_wh,
           k.raw_wh, k.base_wh, k.ratio, o.shown_wh
    FROM reading r JOIN unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[])) AS t (id, at)
        ON r.installation_id = t.id AND r.taken_at = to_timestamp(t.at)
    LEFT JOIN LATERAL (
        SELECT raw_wh, base_wh, ratio FROM reckoning
        WHERE installation_id = r.installation_id AND from_at <= r.taken_at
        ORDER BY from_at DESC LIMIT 1
    ) k ON true
    LEFT JOIN reading_origin o USING (installation_id, taken_at)
    """
)
_ORIGIN = text(
    """
    INSERT INTO reading_origin (installation_id, taken_at, how, shown_wh, held_id)
    SELECT :installation_id, to_timestamp(t.at), :how, CAST(t.shown AS numeric), t.held
    FROM unnest(CAST(:at_s AS bigint[]), CAST(:shown AS text[]), CAST(:held_ids AS bigint[]))
         AS t (at, shown, held)
    """
)
_MARK = text(
    """
    INSERT INTO reading_origin (installation_id, taken_at, how, shown_wh)
    SELECT t.id, to_timestamp(t.at), 'sent', t.shown
    FROM unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[]), CAST(:shown_wh AS bigint[]))
         AS t (id, at, shown)
    """
)
_AFTER = text(
    """
    SELECT installation_id FROM installation WHERE installation_id > :after
    ORDER BY installation_id LIMIT :limit
    """
)
_KNOWN = text("SELECT EXISTS (SELECT FROM installation WHERE installation_id = :installation_id)")
_NEAR = text(
    """
    WITH near AS (
        (SELECT 'before' AS place, taken_at, register_wh FROM reading
         WHERE installation_id = :installation_id AND taken_at < to_timestamp(:at_s)
         ORDER BY taken_at DESC LIMIT 1)
        UNION ALL
        (SELECT 'after', taken_at, register_wh FROM reading
         WHERE installation_id = :installation_id AND taken_at > to_timestamp(:at_s)
         ORDER BY taken_at LIMIT 1)
        UNION ALL
        SELECT 'same', taken_at, register_wh FROM reading
        WHERE installation_id = :installation_id AND taken_at = to_timestamp(:at_s)
        UNION ALL
        SELECT 'opening', opened_at, opening_register_wh FROM installation
        WHERE installation_id = :installation_id
    )
    SELECT place, CAST(floor(extract(epoch FROM taken_at)) AS bigint) AS at_s, register_wh FROM near
    """
)
_PAST = text(
    """
    (SELECT CAST(extract(epoch FROM taken_at) AS bigint) AS at_s, register_wh FROM reading
     WHERE installation_id = :installation_id AND taken_at >= to_timestamp(:from_s)
       AND taken_at < to_timestamp(:to_s) ORDER BY taken_at LIMIT 1)
    UNION
    (SELECT CAST(extract(epoch FROM taken_at) AS bigint), register_wh FROM reading
     WHERE installation_id = :installation_id AND taken_at >= to_timestamp(:from_s)
       AND taken_at < to_timestamp(:to_s) ORDER BY taken_at DESC LIMIT 1)
    ORDER BY 1
    """
)
_LIST = text(
    """
    SELECT r.taken_at, r.register_wh, k.raw_wh, k.base_wh, k.ratio, o.how, o.shown_wh, o.held_id,
           CAST(extract(epoch FROM r.taken_at) AS bigint) AS at_s,
           CAST(extract(epoch FROM r.taken_at - coalesce(b.taken_at, i.opened_at)) AS bigint)
               AS since_s
    FROM reading r JOIN installation i USING (installation_id)
    LEFT JOIN LATERAL (
        SELECT taken_at FROM reading
        WHERE installation_id = r.installation_id AND taken_at < r.taken_at
        ORDER BY taken_at DESC LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT raw_wh, base_wh, ratio FROM reckoning
        WHERE installation_id = r.installation_id AND from_at <= r.taken_at
        ORDER BY from_at DESC LIMIT 1
    ) k ON true
    LEFT JOIN reading_origin o
        ON o.installation_id = r.installation_id AND o.taken_at = r.taken_at
    WHERE r.installation_id = :installation_id AND r.taken_at >= to_timestamp(:from_s)
      AND r.taken_at < to_timestamp(:to_s) AND r.taken_at > to_timestamp(:after_s)
    ORDER BY r.taken_at LIMIT :limit
    """
)


async def take_turns(conn: AsyncConnection, partitions: Iterable[int]) -> dict[int, int]:
    """Hold the partitions' cursors until the transaction ends; returns their new versions."""
    rows = await conn.execute(_TURN, {"partitions": sorted(partitions)})
    return {row.partition: row.version for row in rows}


async def load_register_states(
    conn: AsyncConnection,
    installation_ids: Iterable[int],
    *,
    registers: dict[str, tuple[int, int | None]],
) -> list[RegisterState]:
    """Where the known ones of these stand; `registers` has (resolution, modulus) by profile."""
    rows = await conn.execute(_REGISTER_STATES, {"installation_ids": list(installation_ids)})
    return [_register_state(row, registers) for row in rows]


def _register_state(row: Row[Any], registers: dict[str, tuple[int, int | None]]) -> RegisterState:
    resolution_wh, rollover_wh = registers.get(row.profile, (1, None))
    return RegisterState(
        installation_id=row.installation_id,
        account_id=row.account_id,
        partition=row.partition,
        at_s=row.at_s,
        register_wh=row.register_wh,
        max_power_w=row.max_power_w,
        resolution_wh=resolution_wh,
        rollover_wh=rollover_wh,
        has_readings=row.has_readings,
        closed=row.closed,
        reckoning=reckoning_in(row),
        is_foreign=row.is_foreign,
    )


async def add_readings(conn: AsyncConnection, accepted: Sequence[Columns]) -> None:
    """Store accepted readings; a second one of the same moment is an error."""
    await conn.execute(
        _ADD,
        {
            "ids": list(chain.from_iterable(columns[0] for columns in accepted)),
            "at_s": list(chain.from_iterable(columns[2] for columns in accepted)),
            "registers": list(chain.from_iterable(columns[3] for columns in accepted)),
        },
    )


async def raw_registers_at(
    conn: AsyncConnection, moments: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """The raw register at each (installation_id, taken_at_s) that has a reading."""
    ids, at_s = (list(column) for column in zip(*moments, strict=True))
    rows = await conn.execute(_AT, {"ids": ids, "at_s": at_s})
    return {(row.installation_id, row.at_s): _raw(row) for row in rows}


def _raw(row: Row[Any]) -> int:
    """What the meter showed, or, reckoned back, its register counted on across rollovers."""
    if row.shown_wh is not None:
        return int(row.shown_wh)
    return reckoning_in(row).raw(row.register_wh)


def reckoning_in(row: Row[Any]) -> Reckoning:
    """Of the columns raw_wh, base_wh, ratio; the plain one where they are null."""
    if row.ratio is None:
        return PLAIN
    return Reckoning(row.raw_wh, row.base_wh, Fraction(row.ratio))


async def add_origins(
    conn: AsyncConnection,
    installation_id: int,
    origins: Sequence[tuple[int, int, int | None]],
    *,
    how: str,
) -> None:
    """Tell of readings where they come from: (taken_at_s, what the meter showed, held_id)."""
    if origins:
        await conn.execute(
            _ORIGIN,
            {
                "installation_id": installation_id,
                "how": how,
                "at_s": [at_s for at_s, _, _ in origins],
                "shown": [str(shown_wh) for _, shown_wh, _ in origins],
                "held_ids": [held_id for _, _, held_id in origins],
            },
        )


async def mark_sent(conn: AsyncConnection, sent: Sequence[tuple[int, int, int]]) -> None:
    """Tell of accepted readings that they were sent for a meter that is polled:
    (installation_id, taken_at_s, what the meter showed in Wh).
    """
    ids, at_s, shown_wh = (list(column) for column in zip(*sent, strict=True))
    await conn.execute(_MARK, {"ids": ids, "at_s": at_s, "shown_wh": shown_wh})


async def is_known(conn: AsyncConnection, installation_id: int) -> bool:
    """Whether the installation was ever opened."""
    found = await conn.execute(_KNOWN, {"installation_id": installation_id})
    return bool(found.scalar_one())


async def neighbours(conn: AsyncConnection, installation_id: int, at_s: int) -> Neighbours:
    """The accepted readings around a second, of an installation that is known."""
    rows = await conn.execute(_NEAR, {"installation_id": installation_id, "at_s": at_s})
    found: dict[str, Moment] = {row.place: (row.at_s, row.register_wh) for row in rows}
    before = found.get("before", found["opening"])
    return Neighbours(before=before, after=found.get("after"), same=found.get("same"))


async def ends_of(
    conn: AsyncConnection, installation_id: int, *, from_s: int, to_s: int
) -> list[Moment]:
    """The first and the last reading of [from, to); one or none where there are not two."""
    values = {"installation_id": installation_id, "from_s": from_s, "to_s": to_s}
    return [(row.at_s, row.register_wh) for row in await conn.execute(_PAST, values)]


async def list_readings(
    conn: AsyncConnection,
    installation_id: int,
    *,
    from_s: int,
    to_s: int,
    after_s: int,
    limit: int,
) -> Sequence[AcceptedReading]:
    """Accepted readings in the order of their time, each with its raw register."""
    values = {
        "installation_id": installation_id,
        "from_s": from_s,
        "to_s": to_s,
        "after_s": after_s,
        "limit": limit,
    }
    return [_accepted(row) for row in await conn.execute(_LIST, values)]


def _accepted(row: Row[Any]) -> AcceptedReading:
    return AcceptedReading(
        at_s=row.at_s,
        taken_at=row.taken_at,
        register_wh=row.register_wh,
        raw_wh=_raw(row),
        how=row.how or "read",
        held_id=row.held_id,
        since_s=row.since_s,
    )


async def installations_after(conn: AsyncConnection, after: int, *, limit: int) -> list[int]:
    """The next ids, open or closed."""
    return list((await conn.execute(_AFTER, {"after": after, "limit": limit})).scalars())


async def since(
    conn: AsyncConnection, installation_ids: Sequence[int], at: datetime | None
) -> AsyncIterator[tuple[int, ...]]:
    """(partition, installation, account, taken at in seconds, register in Wh) from then on, by
    installation and time.
    """
    async with conn.stream(
        _SINCE, {"installation_ids": list(installation_ids), "since": at}
    ) as rows:
        async for row in rows:
            yield tuple(row)
