"""Nothing is on its way: outboxes and queues are empty, or are given time to become so."""

import asyncio
from collections.abc import Callable
from time import monotonic
from urllib.parse import quote

import httpx

from npms_operations.audit.findings import Result
from npms_operations.audit.places import Broker, Places
from npms_operations.audit.snapshots import Row, connect

RULE = "outboxes and queues are drained"
POLL_S = 0.5
PARKED_SHOWN = 20

Progress = Callable[[str], None]

_TOTALS = "disable_stats=true&enable_queue_totals=true"

_PARKED = """
    SELECT queue, code, count(*) AS number, min(reason) AS reason,
           (array_agg(id ORDER BY id))[1:3] AS ids
    FROM parked_message WHERE state IN ('parked', 'replaying')
    GROUP BY queue, code ORDER BY queue, code
"""
_UNROUTABLE = "SELECT count(*) FROM unroutable_message WHERE state = 'set_aside'"


async def wait_until_drained(places: Places, *, seconds: float, progress: Progress) -> Result:
    """Look until everything is empty or the time is up; says what the last look saw."""
    until = monotonic() + seconds
    while True:
        result = await look(places)
        if result.holds or monotonic() >= until:
            return result
        progress("waiting: " + "; ".join(f"{f.subject} {f.says}" for f in result.findings[:3]))
        await asyncio.sleep(POLL_S)


async def look(places: Places) -> Result:
    """Every service's outbox, every queue of the virtual host, and the messages set aside."""
    result = Result(RULE)
    for service, url in places.databases.items():
        connection = await connect(url)
        try:
            waiting = await connection.fetchval("SELECT count(*) FROM outbox")
            aside = await connection.fetchval(_UNROUTABLE)
            parked = await connection.fetch(_PARKED)
        finally:
            await connection.close()
        result.count("outboxes")
        if waiting:
            result.broken(f"outbox of {service}", f"{waiting} not yet sent")
        if aside:
            words = f"{aside} that no queue took; `npms-{service} unroutable list` shows them"
            result.broken(f"outbox of {service}", words)
        _note_parked(result, service, parked)
    if places.broker is None:
        result.notes.append("queues were not looked at: no management interface is known")
    else:
        await _look_at_queues(result, places.broker)
    return result


def _note_parked(result: Result, service: str, parked: list[Row]) -> None:
    result.count("parked messages", sum(row["number"] for row in parked))
    for row in parked[:PARKED_SHOWN]:
        ids = ", ".join(str(parked_id) for parked_id in row["ids"])
        result.notes.append(
            f"{service} has parked {row['number']} of {row['queue']} as {row['code']}"
            f" ({row['reason']}), first {ids}"
        )


async def _look_at_queues(result: Result, broker: Broker) -> None:
    """The broker's own totals, which are a few seconds old; its statistics are older."""
    url = httpx.URL(broker.management_url)
    path = "/api/queues" if broker.vhost is None else f"/api/queues/{quote(broker.vhost, safe='')}"
    place = url.copy_with(userinfo=b"", raw_path=f"{path}?{_TOTALS}".encode())
    async with httpx.AsyncClient(auth=(url.username, url.password), trust_env=False) as client:
        answer = await client.get(place, timeout=15)
    answer.raise_for_status()
    silent = 0
    for queue in answer.json():
        result.count("queues")
        silent += "messages" not in queue
        waiting = queue.get("messages", 0)
        if waiting:
            name = f"queue {queue['name']} of {queue['vhost']}"
            result.broken(name, f"{waiting} not yet handled")
    if silent:
        result.notes.append(f"{silent} queues do not say how many messages they hold")
