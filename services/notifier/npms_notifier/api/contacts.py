"""Contacts and language of an account, and what was sent there."""

from fastapi import APIRouter

from npms_notifier.api.schemas import (
    ConfirmContactRequest,
    ContactsRequest,
    ContactsResponse,
    DeliveryResponse,
)
from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.domain.errors import WrongCode
from npms_notifier.handlers import contacts, deliveries, verify_contacts
from npms_notifier.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import PathId


def contacts_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["contacts"])

    @router.get("/contacts", operation_id="get_contacts", responses=problem_responses(404))
    async def get_contacts(account_id: PathId, caller: Caller) -> ContactsResponse:
        """Where and in which language the people of an account are told things."""
        async with context.database.connect() as conn:
            return ContactsResponse.of(await contacts.get_contacts(conn, account_id, caller))

    @router.put(
        "/contacts",
        operation_id="replace_contacts",
        dependencies=[COSTLY],
        responses=problem_responses(404),
    )
    async def replace_contacts(
        account_id: PathId, request: ContactsRequest, caller: Caller
    ) -> ContactsResponse:
        """From the next message on; a new address is sent a code, and is to be confirmed."""
        wanted = [Contact(c.channel, c.address) for c in request.contacts]
        async with context.database.transaction() as conn:
            replaced = await contacts.replace_contacts(
                conn, context, account_id, caller, language=request.language, wanted=wanted
            )
        return ContactsResponse.of(replaced)

    _add_verifying(router, context)
    _add_deliveries(router, context)
    return router


def _add_deliveries(router: APIRouter, context: Context) -> None:
    @router.get("/deliveries", operation_id="list_deliveries", responses=problem_responses(404))
    async def list_deliveries(
        account_id: PathId, caller: Caller, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[DeliveryResponse]:
        """What was sent to the people of an account, newest first."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            rows = await deliveries.list_deliveries(
                conn, account_id, caller, before=before, most=limit + 1
            )
        page, following = cut(rows, limit, lambda row: row.delivery_id)
        return Page(items=[DeliveryResponse.of(row) for row in page], next_cursor=following)


def _add_verifying(router: APIRouter, context: Context) -> None:
    @router.post(
        "/contacts/{channel}/confirm",
        operation_id="confirm_contact",
        dependencies=[COSTLY],
        responses=problem_responses(404, 409),
    )
    async def confirm_contact(
        account_id: PathId, channel: Channel, request: ConfirmContactRequest, caller: Caller
    ) -> ContactsResponse:
        """Verify the address that a code was sent to; what was held for it is sent."""
        async with context.database.transaction() as conn:
            confirmed = await verify_contacts.confirm_contact(
                conn, context, account_id, caller, channel=channel, code=request.code
            )
        if confirmed is None:
            raise WrongCode
        return ContactsResponse.of(confirmed)

    @router.post(
        "/contacts/{channel}/resend-code",
        operation_id="resend_contact_code",
        dependencies=[COSTLY],
        status_code=202,
        responses=problem_responses(404, 409),
    )
    async def resend_contact_code(
        account_id: PathId, channel: Channel, caller: Caller
    ) -> ContactsResponse:
        """Once a minute and five times a day: the code sent before is not good any more."""
        async with context.database.transaction() as conn:
            reached = await verify_contacts.resend_contact_code(
                conn, context, account_id, caller, channel
            )
        return ContactsResponse.of(reached)
