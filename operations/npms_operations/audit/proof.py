"""All rules on one set of snapshots; what looks broken is looked at again before it is said."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from npms_operations.audit.drained import look, wait_until_drained
from npms_operations.audit.findings import Result
from npms_operations.audit.places import Places
from npms_operations.audit.snapshots import Snapshots, take_snapshots

Progress = Callable[[str], None]
Check = Callable[[Snapshots, "Options"], Awaitable[Result]]

LOOK_AGAIN_S = (1.0, 5.0)
"""Together longer than the five seconds by which the broker's totals may be behind."""


def silent(_line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """`sample`: how many installations the slow rater rates. `stale_minutes`: how long a relay may
    be seen other than desired. `look_again_s`: pauses before a broken rule is looked at again."""

    drain_seconds: float = 20
    sample: int = 200
    stale_minutes: int = 10
    look_again_s: tuple[float, ...] = LOOK_AGAIN_S
    progress: Progress = silent


async def prove(
    places: Places, options: Options, *, checks: Sequence[Check], progress: Progress
) -> list[Result]:
    """One result a rule, that of the drained queues last; `progress` hears how it goes.

    Snapshots of five databases are not of one instant. What is on its way between
    two of them passes; what is broken stays, so only subjects that are broken in
    every look count.
    """
    options = replace(options, progress=progress)
    drained = await wait_until_drained(places, seconds=options.drain_seconds, progress=progress)
    results = await _look(places, options, checks)
    for pause_s in options.look_again_s:
        doubtful = [i for i, result in enumerate(results) if not result.holds]
        if not doubtful:
            break
        await asyncio.sleep(pause_s)
        again = await _look(places, options, [checks[i] for i in doubtful])
        for i, second in zip(doubtful, again, strict=True):
            results[i] = _still_broken(results[i], second)
    if drained.holds and not all(result.holds for result in results):
        drained = await look(places)
    return [*results, drained]


def _still_broken(first: Result, second: Result) -> Result:
    subjects = {finding.subject for finding in first.findings}
    second.findings = [finding for finding in second.findings if finding.subject in subjects]
    return second


async def _look(places: Places, options: Options, checks: Sequence[Check]) -> list[Result]:
    results = []
    async with take_snapshots(places) as snapshots:
        for check in checks:
            begun = monotonic()
            result = await check(snapshots, options)
            word = "ok" if result.holds else f"{len(result.findings)} broken"
            options.progress(f"{result.rule}: {word} ({monotonic() - begun:.1f} s)")
            results.append(result)
    return results
