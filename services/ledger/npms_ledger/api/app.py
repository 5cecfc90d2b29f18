"""The ledger's REST application."""

from fastapi import FastAPI

from npms_ledger.api.accounts import accounts_router
from npms_ledger.api.credits import credits_router
from npms_ledger.api.debts import debts_router
from npms_ledger.api.dry_run import dry_run_router
from npms_ledger.api.mass_cuts import mass_cuts_router
from npms_ledger.api.money_requests import money_requests_router
from npms_ledger.api.month_statements import month_statements_router
from npms_ledger.api.moved_money import moved_money_router
from npms_ledger.api.moving import moving_router
from npms_ledger.api.parked_charges import parked_charges_router
from npms_ledger.api.policies import policies_router
from npms_ledger.api.policy_requests import policy_requests_router
from npms_ledger.api.problems import ERRORS
from npms_ledger.api.reconnections import reconnections_router
from npms_ledger.api.refunds import refunds_router
from npms_ledger.api.review_tasks import review_tasks_router
from npms_ledger.api.supply import supply_router
from npms_ledger.api.supply_exceptions import supply_exceptions_router
from npms_ledger.api.trials import trials_router
from npms_ledger.api.why import why_router
from npms_ledger.handlers.context import Context
from npms_shared.web.app import create_app
from npms_shared.web.audit_trail_api import audit_trail_router
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router


def build_app(context: Context, edge: Edge) -> FastAPI:
    return create_app(
        service="ledger",
        description="Accounts, journal, credit policy and the desired supply state.",
        edge=edge,
        routers=[
            accounts_router(context),
            supply_router(context),
            why_router(context),
            dry_run_router(context),
            month_statements_router(context),
            mass_cuts_router(context),
            review_tasks_router(context),
            reconnections_router(context),
            supply_exceptions_router(context),
            moved_money_router(context),
            money_requests_router(context),
            moving_router(context),
            refunds_router(context),
            trials_router(context),
            debts_router(context),
            credits_router(context),
            policies_router(context),
            policy_requests_router(context),
            parked_charges_router(context),
            audit_trail_router(context.database),
            parked_router(context.database),
            unroutable_router(context.database),
        ],
        errors=ERRORS,
    )
