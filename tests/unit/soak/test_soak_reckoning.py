"""The soak's own account: what it must find, and what it may explain."""

from dataclasses import replace
from typing import Any

import pytest

from npms_tools.soak.books import Held
from npms_tools.soak.plan import soak_plan, split
from npms_tools.soak.reckoning import (
    Corrected,
    Verdicts,
    Witness,
    check_energy,
    check_held,
    check_readings,
)
from npms_tools.soak.town import Resident
from npms_tools.street.faults import GATEWAY_FAULTS, REQUEST_FAULTS

HOME = Resident(
    serial="S1",
    account_id=1,
    installation_id=1,
    opened_wh=1000,
    energy_wh=5000,
    resolution_wh=1,
    rollover_wh=None,
    is_poor=False,
)


def shown(at_s: float, wh: int, fault: str = "", energy_wh: int = 0) -> dict[str, Any]:
    return {"serial": "S1", "at_s": at_s, "shown_wh": wh, "energy_wh": energy_wh, "fault": fault}


def struck(at_s: float, fault: str) -> dict[str, Any]:
    return {"subject": "S1", "at_s": at_s, "fault": fault, "detail": ""}


def of_readings(
    witness: Witness, moments: list[tuple[float, int]], home: Resident = HOME, **corrected: Any
) -> Verdicts:
    verdicts = Verdicts()
    anew = {1: Corrected(**corrected)} if corrected else {}
    check_readings(verdicts, witness, [home], {1: moments}, anew)
    return verdicts


def test_a_value_that_was_never_shown_is_found() -> None:
    witness = Witness([shown(100, 1010), shown(160, 1020)], [])
    assert not of_readings(witness, [(101, 1010), (160, 1020)]).unexplained
    for wrong in ((101, 1011), (130, 1010), (160, 1010)):
        assert of_readings(witness, [wrong]).unexplained, wrong


def test_a_register_continued_over_its_end_is_what_was_shown() -> None:
    home = replace(HOME, rollover_wh=1000)
    assert not of_readings(Witness([shown(100, 5)], []), [(100, 2005)], home).unexplained


def test_a_corrected_meter_is_reckoned_from_the_correction_on() -> None:
    witness = Witness([shown(100, 1010), shown(160, 3), shown(220, 7)], [])
    anew = {"from_s": 160.0, "raw_wh": 3, "base_wh": 1015}
    assert not of_readings(witness, [(100, 1010), (160, 1015), (220, 1019)], **anew).unexplained
    assert of_readings(witness, [(220, 1020)], **anew).unexplained


@pytest.mark.parametrize(("last_wh", "faults"), [(1100, 0), (1104, 0), (1105, 1)])
def test_stored_energy_is_held_against_true_energy(last_wh: int, faults: int) -> None:
    verdicts = Verdicts()
    check_energy(verdicts, [HOME], {1: [(100, 1000), (200, last_wh)]}, {"S1": 5100})
    assert len(verdicts.unexplained) == faults


def test_a_home_without_a_reading_is_found() -> None:
    verdicts = Verdicts()
    check_energy(verdicts, [HOME], {}, {"S1": 5100})
    assert verdicts.unexplained == ["S1: no reading was stored"]


def held(reason: str, shown_wh: int, state: str = "rejected") -> Held:
    return Held(1, 1, 100, shown_wh, reason, state)


@pytest.mark.parametrize(
    ("one", "answers", "log", "says"),
    [
        (held("jump", 9_000), [shown(100, 9_000, "spike")], [], "held as jump, rejected: spike"),
        (held("backwards", 3), [shown(100, 3)], [struck(90, "cleared")], "cleared"),
        (held("conflict", 7), [shown(100, 7), shown(100.4, 8)], [], "two answers"),
        (held("conflict", 7), [shown(100, 7)], [], None),
        (held("jump", 9_000), [shown(100, 9_000)], [struck(90, "late")], None),
        (held("jump", 9_000), [shown(100, 9_001, "spike")], [], None),
        (held("jump", 9_000, "held"), [shown(100, 9_000, "spike")], [], None),
    ],
)
def test_a_held_reading_needs_a_fault_and_a_decision(
    one: Held, answers: list[dict[str, Any]], log: list[dict[str, Any]], says: str | None
) -> None:
    verdicts = Verdicts()
    check_held(verdicts, Witness(answers, log), [HOME], [one])
    if says is None:
        assert verdicts.unexplained
    else:
        assert not verdicts.unexplained
        assert says in next(iter(verdicts.explained))


def test_the_plan_without_a_file_has_every_fault_and_fits_the_time() -> None:
    plan = soak_plan(None, seed=3, minutes=1)
    assert plan.seed == 3
    kinds = {rule.fault for rule in plan.faults}
    wanted = REQUEST_FAULTS | GATEWAY_FAULTS
    assert wanted | {"welded", "cleared", "near_rollover", "clock_drift", "hand"} == kinds
    assert max(rule.until_s or 0 for rule in plan.faults) <= 60
    before, after = split(plan)
    assert [rule.fault for rule in before.faults] == ["near_rollover"]
    assert len(before.faults) + len(after.faults) == len(plan.faults)
