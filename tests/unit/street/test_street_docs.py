"""docs/street.md tells what there is, and its example is a plan."""

import re
from pathlib import Path
from typing import get_args

import yaml

from npms_tools.street.fault_plan import FaultPlan, Kind, Rule

PAGE = (Path(__file__).parents[3] / "docs" / "street.md").read_text(encoding="utf-8")


def test_the_example_is_a_plan() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(FaultPlan.model_validate(yaml.safe_load(example)).faults) == 6


def test_every_fault_and_every_key_is_explained() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert set(get_args(Kind)) <= named
    assert set(Rule.model_fields) <= named
