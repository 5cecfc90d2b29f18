"""The audit's table for people and its file for machines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from npms_operations.audit.findings import Result

SHOWN = 20
KEPT = 1000


def table(results: Sequence[Result]) -> Iterator[str]:
    """Lines: a row for each rule, then what is broken, then what is only worth knowing."""
    width = max(len(result.rule) for result in results)
    yield f"{'rule':<{width}}  result   checked"
    for result in results:
        word = "ok" if result.holds else f"{len(result.findings)} BROKEN"
        yield f"{result.rule:<{width}}  {word:<8} {_checked(result)}"
    for result in results:
        if not result.holds:
            yield from _broken(result)
    for result in results:
        for note in result.notes:
            yield f"note, {result.rule}: {note}"


def _checked(result: Result) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in result.checked.items())


def _broken(result: Result) -> Iterator[str]:
    yield f"BROKEN: {result.rule}"
    for finding in result.findings[:SHOWN]:
        yield f"  {finding.subject}: {finding.says}"
    hidden = len(result.findings) - SHOWN
    if hidden > 0:
        yield f"  … and {hidden:,} more"


def write_json(results: Sequence[Result], file: Path) -> None:
    """All rules, with at most KEPT findings each and their full number."""
    rules = []
    for result in results:
        shown = [asdict(finding) for finding in result.findings[:KEPT]]
        rules.append(
            {
                "rule": result.rule,
                "holds": result.holds,
                "checked": result.checked,
                "broken": len(result.findings),
                "findings": shown,
                "notes": result.notes,
            }
        )
    content = {"holds": all(result.holds for result in results), "rules": rules}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
