"""Which faults a soak has, fitted to how long it lasts."""

from pathlib import Path

from npms_tools.street.fault_plan import FaultPlan, Rule, load_plan

DEFAULT = Path(__file__).parent / "faults.yaml"
BEFORE_OPENING = frozenset({"near_rollover"})
"""Done before an account notes its opening register."""
PLANNED_MINUTES = 10
TIMES = ("after_s", "until_s", "every_s", "for_s")


def soak_plan(file: Path | None, *, seed: int | None, minutes: float) -> FaultPlan:
    """The plan of a file as it stands; else the one with every fault, stretched to `minutes`."""
    plan = load_plan(file or DEFAULT)
    if file is None:
        rules = tuple(_stretched(rule, minutes / PLANNED_MINUTES) for rule in plan.faults)
        plan = plan.model_copy(update={"faults": rules})
    return plan if seed is None else plan.model_copy(update={"seed": seed})


def split(plan: FaultPlan) -> tuple[FaultPlan, FaultPlan]:
    """What is done before accounts open, and the rest."""
    before = tuple(rule for rule in plan.faults if rule.fault in BEFORE_OPENING)
    after = tuple(rule for rule in plan.faults if rule.fault not in BEFORE_OPENING)
    return plan.model_copy(update={"faults": before}), plan.model_copy(update={"faults": after})


def _stretched(rule: Rule, factor: float) -> Rule:
    times = {name: getattr(rule, name) for name in TIMES}
    return rule.model_copy(
        update={name: value * factor for name, value in times.items() if value is not None}
    )
