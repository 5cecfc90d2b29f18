"""The documents point at what is there."""

import re
from pathlib import Path

import pytest
from tests.deploy.manifests import ROOT

SKIPPED = {".venv", ".run", ".git", "node_modules"}
DOCUMENTS = sorted(
    path
    for folder in ("docs", "deploy", "services", "shared", "tools")
    for path in (ROOT / folder).rglob("*.md")
) + sorted(ROOT.glob("*.md"))
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
PATH = re.compile(r"`((?:\.ci|deploy|docs|services|shared|tests|tools)/[\w./*-]+)`")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_paths_that_are_named_exist(document: Path) -> None:
    for path in PATH.findall(document.read_text()):
        assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("decision", DECISIONS, ids=name_of)
def test_a_decision_has_all_its_parts(decision: Path) -> None:
    text = decision.read_text()
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "What enforces it"]
    assert re.search(
        r"^Status: (accepted|superseded by \d{4})$", decision.read_text(), re.MULTILINE
    )


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    numbers = [int(decision.name[:4]) for decision in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    listed = (ROOT / "docs/adr/README.md").read_text()
    for decision in DECISIONS:
        title = decision.read_text().splitlines()[0].removeprefix(f"# {decision.name[:4]}: ")
        assert f"[{decision.name[:4]}]({decision.name}) | {title} |" in listed
