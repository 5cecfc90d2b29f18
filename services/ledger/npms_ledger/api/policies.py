"""Credit policies, and charges that fit no account."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel

from npms_ledger.api.callers import actor
from npms_ledger.api.policy_schemas import PolicyDocument, PolicyResponse, to_api_policy
from npms_ledger.domain.documents import to_document
from npms_ledger.handlers import look, trail
from npms_ledger.handlers.errors import PolicyUnknown
from npms_ledger.handlers.policies import read_policy, write_policy
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.web.pages import Limit
from npms_shared.web.principals import Operator
from npms_shared.web.problems import not_found, problem_responses

Code = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,59}$", examples=["standard"])]


class ParkedChargeResponse(BaseModel):
    parked_charge_id: UUID
    message_id: UUID
    code: str
    installation_id: int
    account_id: int
    currency: str
    charge: dict[str, Any]
    parked_at: datetime


def policies_router(database: Database, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/credit-policies", tags=["credit policies"])

    @router.get("/{code}", operation_id="get_credit_policy", responses=problem_responses(404))
    async def show(_caller: Operator, code: Code) -> PolicyResponse:
        """The version in force."""
        async with database.connect() as conn:
            try:
                return to_api_policy(await read_policy(conn, code))
            except PolicyUnknown:
                raise not_found("credit policy") from None

    @router.put("/{code}", operation_id="put_credit_policy", responses=problem_responses())
    async def put(caller: Operator, code: Code, document: PolicyDocument) -> PolicyResponse:
        """Put a new version in force for every account on the policy."""
        async with database.transaction() as conn:
            now = clock.now()
            written = await write_policy(
                conn,
                code,
                policy=document.to_policy(),
                currency=document.currency,
                now=now,
                by=caller.subject,
            )
            await trail.note(
                conn,
                actor(caller),
                "credit_policy_written",
                subject=f"credit-policy:{code}",
                now=now,
                after={"version": written.version, "document": to_document(written.policy)},
            )
        return to_api_policy(written)

    return router


def parked_charges_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/v1/parked-charges", tags=["parked charges"])

    @router.get("", operation_id="list_parked_charges", responses=problem_responses())
    async def list_(_caller: Operator, limit: Limit = 100) -> list[ParkedChargeResponse]:
        """Charges that fit no account of ours, the newest first."""
        async with database.connect() as conn:
            rows = await look.list_parked_charges(conn, limit)
        return [ParkedChargeResponse.model_validate(row, from_attributes=True) for row in rows]

    return router
