"""What was corrected is proven too: hours, accumulators and the ledger agree on it."""

from dataclasses import asdict
from datetime import timedelta

from tests.integration.audit.audit_world import (
    ANOTHER,
    BY,
    OPENED_AT,
    PLAN,
    World,
    activate_seen,
    fill,
    prices,
)
from tests.integration.audit.test_audit_rules import audit, broken
from tests.support.databases import DatabaseFactory
from tests.support.tariff import work_off_corrections

from npms_operations.audit.rules import adjustments, charges, registers
from npms_shared.approval import checksum
from npms_tariff.handlers import correct
from npms_tariff.handlers.draft_plan import Draft, add_draft
from npms_tools.stack.services import SERVICES


async def correct_the_plan(world: World) -> int:
    """A third version dated back into the middle of what was rated; returns the installations."""
    draft = Draft(OPENED_AT + timedelta(days=1), prices("35.5"))
    tariff, context = world.databases["tariff"].database, world.tariff
    async with tariff.transaction() as conn:
        await add_draft(conn, context, PLAN, draft, by=BY)
        await activate_seen(conn, context, 3)
        command = correct.PlanCorrection(PLAN, 3, "the price was late")
        requested = await correct.request_correction(conn, context, command, by=BY)
        seen = checksum(asdict(await correct.get_correction(conn, requested.correction_id)))
        await correct.approve_correction(
            conn, context, requested.correction_id, by=ANOTHER, seen=seen
        )
    await work_off_corrections(context)
    await world.settle()
    async with tariff.connect() as conn:
        done = await correct.get_correction(conn, requested.correction_id)
    assert (done.state, done.refused) == ("done", 0)
    return done.corrected


async def test_what_was_corrected_is_proven_too(databases: DatabaseFactory) -> None:
    made = {service: await databases.make(service) for service in SERVICES}
    try:
        world = World(made)
        await fill(world)
        told = (await audit(made, {}))[adjustments.RULE].checked["adjustments"]
        corrected = await correct_the_plan(world)
        assert corrected > 2
        found = await audit(made, {})
        assert not broken(found), [result.findings for result in found.values()]
        assert found[adjustments.RULE].checked["adjustments"] >= told + corrected
        assert found[charges.RULE].notes
        faked = "UPDATE usage_month SET amount_micro = amount_micro + 1"
        assert registers.RULE in broken(await audit(made, {"tariff": faked}))
    finally:
        for database in made.values():
            await databases.drop(database)
