"""Commands that were sent to meters, each with its life and its evidence."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from npms_meter_gateway.domain.commands import SupplyCommand
from npms_meter_gateway.handlers import command_log
from npms_meter_gateway.handlers.context import Context
from npms_shared.auth.tokens import Principal
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import require
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId

Staff = Annotated[Principal, Depends(require("operator", "admin", "service"))]


class EvidenceResponse(BaseModel):
    """What the meter showed at a moment."""

    at: datetime
    relay: Literal["on", "off", "unknown"] | None = Field(
        description="null where the meter has no register for it", examples=["off"]
    )
    power_w: int | None = Field(examples=[0])
    limit_w: int | None
    armed: bool = Field(description="its customer may close it")
    fault: bool = Field(description="it says that its relay cannot open")


class CommandResponse(BaseModel):
    """One command: written down before it left, ended by what was read back."""

    command_id: UUID
    revision: int = Field(description="of the desired state that it served", examples=[17])
    reason: str = Field(examples=["exhausted"])
    what: Literal["relay", "load_limit"]
    state: Literal["on", "off"] = Field(examples=["off"])
    limit_w: int | None
    life: Literal[
        "sent", "acknowledged", "unanswered", "confirmed", "in_vain", "superseded", "abandoned"
    ] = Field(
        description="`sent`, `acknowledged` and `unanswered` are not ended yet; of one left `sent` "
        "nobody knows whether it left, until the meter is read",
        examples=["confirmed"],
    )
    created_at: datetime
    answered_at: datetime | None
    answer: str | None = Field(
        description="`acknowledged`, or by what it was not", examples=["no_answer"]
    )
    closed_at: datetime | None
    before: EvidenceResponse
    after: list[EvidenceResponse]

    @classmethod
    def of(cls, command: SupplyCommand) -> Self:
        return cls.model_validate(asdict(command))


def commands_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["meters"])

    @router.get(
        "/meters/{installation_id}/commands",
        operation_id="list_commands",
        responses=problem_responses(),
    )
    async def list_commands(
        _caller: Staff, installation_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[CommandResponse]:
        """Commands to the switch of an installation's meter, the newest first."""
        async with context.database.connect() as conn:
            found = await command_log.list_commands(
                conn, installation_id, before=id_in(cursor), limit=limit + 1
            )
        page, following = cut(found, limit, lambda command: command.command_id)
        return Page(items=[CommandResponse.of(command) for command in page], next_cursor=following)

    return router
