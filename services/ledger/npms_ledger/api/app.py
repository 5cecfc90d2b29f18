"""The ledger's REST application."""

from fastapi import FastAPI

from npms_ledger.api.accounts import accounts_router
from npms_ledger.api.attention import (
    mass_cuts_router,
    reconnections_router,
    review_tasks_router,
)
from npms_ledger.api.audit_trail import audit_trail_router
from npms_ledger.api.credits import credits_router
from npms_ledger.api.debts import debts_router
from npms_ledger.api.dry_run import dry_run_router
from npms_ledger.api.money_requests import money_requests_router
from npms_ledger.api.month_statements import month_statements_router
from npms_ledger.api.moving import moving_router
from npms_ledger.api.policies import parked_charges_router, policies_router
from npms_ledger.api.policy_requests import policy_requests_router
from npms_ledger.api.problems import ERRORS
from npms_ledger.api.supply import supply_router
from npms_ledger.api.supply_exceptions import supply_exceptions_router
from npms_ledger.api.trials import trials_router
from npms_ledger.api.why import why_router
from npms_ledger.domain.guardrail import Guardrail
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.money import AmountsByCurrency
from npms_shared.web.app import create_app
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router


def build_app(
    database: Database,
    clock: Clock,
    edge: Edge,
    limits: AmountsByCurrency,
    *,
    guardrail: Guardrail,
    reconnect_limit_s: int,
) -> FastAPI:
    return create_app(
        service="ledger",
        description="Accounts, journal, credit policy and the desired supply state.",
        edge=edge,
        routers=[
            accounts_router(database, clock, limits),
            supply_router(database, clock),
            why_router(database),
            dry_run_router(database, clock),
            month_statements_router(database, clock),
            mass_cuts_router(database, clock, guardrail),
            review_tasks_router(database, clock),
            reconnections_router(database, clock, reconnect_limit_s),
            supply_exceptions_router(database, clock),
            money_requests_router(database, clock, limits),
            moving_router(database, clock),
            audit_trail_router(database),
            trials_router(database, clock),
            debts_router(database, clock),
            credits_router(database, clock, limits),
            policies_router(database, clock),
            policy_requests_router(database, clock),
            parked_charges_router(database),
            parked_router(database),
            unroutable_router(database),
        ],
        errors=ERRORS,
    )
