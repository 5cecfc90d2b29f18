"""Each planted fault breaks the rule that watches for it."""

import pytest
from sqlalchemy import text
from tests.integration.ledger.house import M

from npms_shared.contracts.tariff import PlanVersionActivated, VendCharge
from npms_shared.db.engine import Database

FAULTS = [
    ("UPDATE posting SET after_micro = after_micro + 1 WHERE seq = 2", "postings_chain"),
    ("UPDATE position SET balance_micro = balance_micro + 1", "position_is_last_posting"),
    ("UPDATE position SET balance_micro = balance_micro + 1", "balance_is_sum_of_postings"),
    ("UPDATE position SET debt_micro = 1 WHERE account_id = 2", "no_money_without_posting"),
    ("DELETE FROM posting WHERE seq = 2", "postings_have_no_holes"),
    ("DELETE FROM posting WHERE seq = 1", "postings_begin_at_one"),
    ("UPDATE posting SET from_register_wh = 1 WHERE seq = 3", "registers_chain"),
    ("UPDATE position SET reason = 'friendly_hours'", "supply_has_a_reason"),
    ("UPDATE supply SET state = 'off' WHERE account_id = 1", "supply_is_told"),
    ("UPDATE position SET balance_micro = -5 WHERE account_id = 1", "floor_is_kept"),
    ("UPDATE system_posting SET amount_micro = amount_micro + 1", "journals_sum_to_zero"),
    ("DELETE FROM posting WHERE kind = 'top_up'", "payments_credited_once"),
    ("UPDATE posting SET lines = '[]' WHERE seq = 3", "charge_lines_sum"),
    (
        "UPDATE posting SET journal_id = gen_random_uuid() WHERE seq = 3",
        "journals_are_known",
    ),
]

FAULTS_OF_HOLDINGS = [
    ("UPDATE debt SET remaining_micro = remaining_micro + 1", "debt_is_sum_of_debts"),
    ("UPDATE debt SET debt_no = 5", "debts_are_sums_of_postings"),
    (
        "UPDATE granted_credit SET remaining_micro = remaining_micro + 1",
        "grants_are_sums_of_postings",
    ),
    ("DELETE FROM decision_due", "timed_are_due"),
    ("UPDATE vend_charge SET taken_micro = taken_micro - 1", "vend_charges_are_sums_of_postings"),
]


@pytest.mark.parametrize(("fault", "rule"), FAULTS, ids=[rule for _, rule in FAULTS])
async def test_a_planted_fault_is_found(house, fault, rule):
    opened = await house.open()
    await house.open()
    await house.pay(opened["account_id"], 100 * M)
    await house.charge((opened, M), (opened, 2 * M))
    assert await house.broken() == []
    await _plant(house, fault)
    assert rule in await house.broken()


@pytest.mark.parametrize(
    ("fault", "rule"), FAULTS_OF_HOLDINGS, ids=[rule for _, rule in FAULTS_OF_HOLDINGS]
)
async def test_a_fault_among_debts_grants_and_monthly_charges_is_found(house, fault, rule):
    charge = VendCharge(name="capacity", amount_micro=2 * M, tax_micro=0)
    event = PlanVersionActivated(
        plan_code="household",
        version=4,
        plan_version_id=8,
        currency="KES",
        valid_from=house.clock.now(),
        vend_charges=[charge],
    )
    await house.receive("ledger.catalogue", event)
    amount = {"amount": "30", "currency": "KES"}
    opened = await house.open(debts=[{"label": "arrears", "amount": amount, "reason": "bills"}])
    grant = {"label": "units", "amount": amount, "monthly": True, "reason": "register"}
    await house.grant(opened["account_id"], grant)
    await house.pay(opened["account_id"], 100 * M)
    assert await house.broken() == []
    await _plant(house, fault)
    assert rule in await house.broken()


async def _plant(house, fault: str) -> None:
    owner = Database(house.made.migration_url)
    async with owner.transaction() as conn:
        await conn.execute(text(fault))
    await owner.close()
