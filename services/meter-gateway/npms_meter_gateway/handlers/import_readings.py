"""Readings from a file, all in one transaction, or none where a line cannot be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.read_reading_file import LineFault, ReadingFile, read_file
from npms_meter_gateway.handlers.take_readings import Given, ReadingDesk


@dataclass(frozen=True, slots=True)
class ImportedLine:
    line: int
    given: Given
    installation_id: int | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ImportReport:
    """With `faults` nothing was taken; else `lines` says what became of each, in file order."""

    faults: Sequence[LineFault] = ()
    accepted: int = 0
    lines: Sequence[ImportedLine] = field(default=())


async def import_readings(
    desk: ReadingDesk, lines: Iterable[str], *, dry_run: bool
) -> ImportReport:
    """Take a file's readings, or say what would become of them. The same file again changes
    nothing: its readings are duplicates then.
    """
    file = read_file(lines)
    if file.faults:
        return ImportReport(faults=file.faults)
    return await _take(desk, file, dry_run=dry_run)


async def _take(desk: ReadingDesk, file: ReadingFile, *, dry_run: bool) -> ImportReport:
    taken = await desk.take(file.given, source="import", dry_run=dry_run)
    columns = (file.lines, file.given, taken.installation_ids, taken.verdicts)
    lines = [ImportedLine(*row) for row in zip(*columns, strict=True)]
    return ImportReport(accepted=taken.accepted, lines=lines)
