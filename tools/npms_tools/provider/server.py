"""The provider's HTTP interface: what merchants call, and what payers (or a demonstration) do."""

import asyncio
import base64
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from uuid import UUID

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from npms_tools.provider.checkouts import Book, Checkout, NotPossible
from npms_tools.provider.deliveries import Manner, Message, Postman, message_of

PAGE = """<!doctype html><html lang="en"><title>paysim</title>
<h1>{amount} {currency}</h1><p>Checkout {reference} is {status}.</p>
<form method="post"><button{disabled}>Pay</button></form></html>"""


Step = Literal["pay", "pay-again", "fail", "expire", "refund"]


class OpenRequest(BaseModel):
    merchant_order: UUID
    amount: str = Field(examples=["100.000000"])
    currency: str
    callback_url: str


class Outcome(BaseModel):
    """How the merchant is told; `amount` and `currency` override what it is told was paid.

    `transaction_id` says which movement of money a refund gives back; the last one without it.
    """

    webhook: Manner = "normal"
    amount: str | None = None
    currency: str | None = None
    transaction_id: str | None = None


class Behaviour(BaseModel):
    """Faults of the provider itself: how long it takes to answer, how many calls it fails."""

    answer_delay_s: float = 0
    fail_calls: int = 0


class Provider:
    """One provider: its book, its postman, its moods."""

    def __init__(self, *, secret: str, public_url: str) -> None:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        self.book = Book()
        self.postman = Postman(key, httpx.AsyncClient(trust_env=False))
        self.public_url = public_url.rstrip("/")
        self.behaviour = Behaviour()
        self.last: dict[str, Message] = {}

    def shown(self, checkout: Checkout) -> dict[str, Any]:
        url = f"{self.public_url}/pay/{checkout.reference}"
        return {**checkout.to_data(), "checkout_url": url}

    def find(self, reference: str) -> Checkout:
        found = self.book.find(reference)
        if found is None:
            raise HTTPException(404, "no such checkout")
        return found

    async def finish(self, reference: str, step: Step, outcome: Outcome) -> dict[str, Any]:
        """Move a checkout and tell the merchant; answers with what the merchant said."""
        checkout = self.find(reference)
        try:
            self._take_step(checkout, step, outcome)
        except NotPossible as fault:
            raise HTTPException(409, str(fault)) from None
        checkout.amount = outcome.amount or checkout.amount
        checkout.currency = outcome.currency or checkout.currency
        self.last[reference] = message_of(checkout)
        return await self.tell(reference, outcome.webhook)

    def _take_step(self, checkout: Checkout, step: Step, outcome: Outcome) -> None:
        if step == "refund":
            self.book.give_back(checkout, outcome.transaction_id)
        elif step in {"pay", "pay-again"}:
            self.book.take(checkout, again=step == "pay-again")
        else:
            self.book.move(checkout, "failed" if step == "fail" else "expired")

    async def tell(self, reference: str, manner: Manner) -> dict[str, Any]:
        message = self.last.get(reference)
        if message is None:
            raise HTTPException(409, "there is nothing to tell yet")
        attempts = await self.postman.send(message, manner)
        shown = self.shown(self.find(reference))
        return {**shown, "deliveries": [attempt.to_data() for attempt in attempts]}

    def fail_if_told(self) -> None:
        """Before anything is done for a merchant's call."""
        if self.behaviour.fail_calls > 0:
            self.behaviour.fail_calls -= 1
            raise HTTPException(503, "out of order")

    async def linger_if_told(self) -> None:
        """After it was done, before the answer."""
        await asyncio.sleep(self.behaviour.answer_delay_s)


def create_provider(*, secret: str, public_url: str) -> FastAPI:
    provider = Provider(secret=secret, public_url=public_url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await provider.postman.close()

    app = FastAPI(title="paysim", version="1", lifespan=lifespan, redoc_url=None)
    app.state.provider = provider
    app.include_router(_merchant_router(provider))
    app.include_router(_payer_router(provider))
    app.include_router(_truth_router(provider))
    return app


def _merchant_router(provider: Provider) -> APIRouter:
    router = APIRouter(prefix="/checkouts", tags=["merchant"])

    @router.post("", operation_id="open_checkout", status_code=201)
    async def open_checkout(request: OpenRequest) -> dict[str, Any]:
        """One per merchant's order: a repetition gets the same."""
        provider.fail_if_told()
        checkout = provider.book.open(
            request.merchant_order,
            amount=request.amount,
            currency=request.currency,
            callback_url=request.callback_url,
        )
        await provider.linger_if_told()
        return provider.shown(checkout)

    @router.get("", operation_id="find_checkout")
    async def find_checkout(merchant_order: UUID) -> dict[str, Any]:
        provider.fail_if_told()
        found = provider.book.find_order(merchant_order)
        if found is None:
            raise HTTPException(404, "no such checkout")
        return provider.shown(found)

    @router.get("/{reference}", operation_id="get_checkout")
    async def get_checkout(reference: str) -> dict[str, Any]:
        provider.fail_if_told()
        return provider.shown(provider.find(reference))

    return router


def _payer_router(provider: Provider) -> APIRouter:
    router = APIRouter(tags=["payer"])

    @router.post("/checkouts/{reference}/repeat", operation_id="repeat_webhook")
    async def repeat(reference: str, outcome: Outcome | None = None) -> dict[str, Any]:
        """Send the last webhook of a checkout again, under the same id."""
        return await provider.tell(reference, (outcome or Outcome()).webhook)

    @router.post("/checkouts/{reference}/{step}", operation_id="finish_checkout")
    async def finish(reference: str, step: Step, outcome: Outcome | None = None) -> dict[str, Any]:
        """What the payer or the provider does; `pay-again` is a second payment of one order."""
        return await provider.finish(reference, step, outcome or Outcome())

    @router.get("/pay/{reference}", operation_id="show_page", response_class=HTMLResponse)
    async def show_page(reference: str) -> str:
        return _page(provider.find(reference))

    @router.post("/pay/{reference}", operation_id="pay_on_page", response_class=HTMLResponse)
    async def pay_on_page(reference: str) -> str:
        await provider.finish(reference, "pay", Outcome())
        return _page(provider.find(reference))

    return router


def _truth_router(provider: Provider) -> APIRouter:
    router = APIRouter(tags=["truth"])

    @router.get("/settled", operation_id="list_settled")
    async def settled() -> list[dict[str, Any]]:
        """The provider's own list of what it took for the merchant."""
        return list(provider.book.settled())

    @router.get("/deliveries", operation_id="list_deliveries")
    async def deliveries() -> list[dict[str, Any]]:
        return [attempt.to_data() for attempt in provider.postman.attempts]

    @router.put("/behaviour", operation_id="set_behaviour", status_code=204)
    async def set_behaviour(behaviour: Behaviour) -> Response:
        provider.behaviour = behaviour
        return Response(status_code=204)

    @router.get("/health/live", operation_id="get_liveness")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    return router


def _page(checkout: Checkout) -> str:
    disabled = "" if checkout.status == "open" else " disabled"
    return PAGE.format(
        amount=html.escape(short_amount(checkout.amount)),
        currency=html.escape(checkout.currency),
        reference=checkout.reference,
        status=checkout.status,
        disabled=disabled,
    )


def short_amount(amount: str) -> str:
    """The amount without zeros nobody reads: "100.500000" → "100.50"."""
    whole, _, decimals = amount.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
