"""Readings from a file, all in one transaction, or none where a line cannot be read."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.read_reading_file import LineFault, read_file
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_readings import (
    Import,
    SentReading,
    rehearse_readings,
    take_readings,
)
from npms_shared.actor import Actor


@dataclass(frozen=True, slots=True)
class ImportedLine:
    line: int
    reading: SentReading
    installation_id: int | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ImportReport:
    """With `faults` nothing was taken; else `lines` says what became of each, in file order."""

    faults: Sequence[LineFault] = ()
    accepted: int = 0
    lines: Sequence[ImportedLine] = field(default=())


async def import_readings(
    recorder: ReadingRecorder, text: str, *, by: Actor, dry_run: bool
) -> ImportReport:
    """Take a file's readings, or say what would become of them. The same file again changes
    nothing: its readings are duplicates then. In the recorder's transaction, with the audit's note.
    """
    file = read_file(io.StringIO(text, newline=""))
    if file.faults:
        return ImportReport(faults=file.faults)
    if dry_run:
        taken = await rehearse_readings(recorder, file.readings, source="import")
    else:
        noted = Import(by, sha256(text.encode()).hexdigest()[:16])
        taken = await take_readings(recorder, file.readings, source="import", noted=noted)
    columns = (file.lines, file.readings, taken.installation_ids, taken.verdicts)
    lines = [ImportedLine(*row) for row in zip(*columns, strict=True)]
    return ImportReport(accepted=taken.accepted, lines=lines)
