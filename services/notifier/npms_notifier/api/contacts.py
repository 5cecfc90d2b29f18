"""Contacts and language of an account, and what was sent there."""

from fastapi import APIRouter

from npms_notifier.api.schemas import ContactsIn, ContactsOut, DeliveryOut
from npms_notifier.domain.contacts import Contact
from npms_notifier.handlers.accounts import read_contacts, replace_contacts
from npms_notifier.handlers.deliveries import list_deliveries
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId


def contacts_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["contacts"])

    @router.get("/contacts", operation_id="get_contacts", responses=problem_responses(404))
    async def get_contacts(account_id: PathId, caller: Caller) -> ContactsOut:
        """Where and in which language the people of an account are told things."""
        async with database.connect() as conn:
            return ContactsOut.of(await read_contacts(conn, account_id, caller))

    @router.put("/contacts", operation_id="replace_contacts", responses=problem_responses(404))
    async def put_contacts(account_id: PathId, body: ContactsIn, caller: Caller) -> ContactsOut:
        """From the next message on; addresses are kept in canonical form."""
        contacts = [Contact(c.channel, c.address) for c in body.contacts]
        async with database.transaction() as conn:
            book = await replace_contacts(
                conn, account_id, caller, language=body.language, contacts=contacts
            )
        return ContactsOut.of(book)

    @router.get("/deliveries", operation_id="list_deliveries", responses=problem_responses(404))
    async def get_deliveries(
        account_id: PathId, caller: Caller, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[DeliveryOut]:
        """What was sent to the people of an account, newest first."""
        before = id_in(cursor)
        async with database.connect() as conn:
            rows = await list_deliveries(conn, account_id, caller, before=before, most=limit + 1)
        page, following = cut(rows, limit, lambda row: row.delivery_id)
        return Page(items=[DeliveryOut.of(row) for row in page], next_cursor=following)

    return router
