"""Alerts ask for metrics that the code has, and lead to a runbook."""

import re

import pytest
import yaml
from tests.deploy.manifests import ROOT

RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
METRIC = re.compile(r"\bnpms_[a-z0-9_]+")
DEFINED = re.compile(r'(Counter|Gauge|Histogram)\(\s*"(npms_[a-z0-9_]+)"')


def exported() -> set[str]:
    """Names as Prometheus sees them."""
    names = set()
    for folder in ("services", "shared"):
        for path in (ROOT / folder).rglob("metrics.py"):
            for kind, name in DEFINED.findall(path.read_text()):
                names.add(f"{name}_total" if kind == "Counter" else name)
    return names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(rule: dict) -> None:
    asked = set(METRIC.findall(rule["expr"]))
    assert asked
    assert asked <= exported()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert (ROOT / rule["annotations"]["runbook"]).exists()


def test_what_is_set_aside_or_breaks_a_rule_wakes_somebody() -> None:
    """They are alarmed, not only counted."""
    woken = " ".join(rule["expr"] for rule in RULES if rule["labels"]["severity"] == "page")
    assert {"npms_outbox_unroutable", "npms_invariant_violations"} <= set(METRIC.findall(woken))
