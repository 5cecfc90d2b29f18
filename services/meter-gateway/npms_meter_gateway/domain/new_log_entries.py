"""Which entries of a meter's log are new, and whether some were lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from npms_meter_gateway.domain.records import LogEntry


@dataclass(frozen=True, slots=True)
class NewLogEntries:
    """Entries not told yet, the oldest first; `head` is the newest's mark, "" for an empty log.

    `overflowed`: entries between the last one told and these were overwritten before they could
    be read. `emptied`: somebody cleared the log in between.
    """

    entries: Sequence[LogEntry]
    head: str
    overflowed: bool = False
    emptied: bool = False


def new_log_entries(
    read: Sequence[LogEntry], known_head: str | None, *, ended: bool
) -> NewLogEntries:
    """What is new in a log of which `read`, the newest first, was read until the known head, the
    log's end (`ended`), or its last place.

    At the first contact (no known head) what is in the log is of the time before us.
    """
    head = read[0].mark if read else ""
    if known_head is None:
        return NewLogEntries((), head)
    fresh = list(read)
    met = bool(fresh) and fresh[-1].mark == known_head
    if met:
        fresh.pop()
    was_empty = known_head == ""
    return NewLogEntries(
        entries=fresh[::-1],
        head=head,
        overflowed=not met and not ended,
        emptied=not met and ended and not was_empty,
    )
