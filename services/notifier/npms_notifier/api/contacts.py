"""Contacts and language of an account, and what was sent there."""

from fastapi import APIRouter

from npms_notifier.api.schemas import ContactsRequest, ContactsResponse, DeliveryResponse
from npms_notifier.domain.contacts import Contact
from npms_notifier.handlers import contacts, deliveries
from npms_notifier.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId


def contacts_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["contacts"])

    @router.get("/contacts", operation_id="get_contacts", responses=problem_responses(404))
    async def get_contacts(account_id: PathId, caller: Caller) -> ContactsResponse:
        """Where and in which language the people of an account are told things."""
        async with context.database.connect() as conn:
            return ContactsResponse.of(await contacts.get_contacts(conn, account_id, caller))

    @router.put("/contacts", operation_id="replace_contacts", responses=problem_responses(404))
    async def replace_contacts(
        account_id: PathId, request: ContactsRequest, caller: Caller
    ) -> ContactsResponse:
        """From the next message on; addresses are kept in canonical form."""
        wanted = [Contact(c.channel, c.address) for c in request.contacts]
        async with context.database.transaction() as conn:
            replaced = await contacts.replace_contacts(
                conn, account_id, caller, language=request.language, contacts=wanted
            )
        return ContactsResponse.of(replaced)

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

    return router
