"""The simulated provider of tools/: checkouts over HTTP, outcomes by signed webhook."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    StringConstraints,
    ValidationError,
    model_validator,
)

from npms_payments.domain import webhooks
from npms_payments.domain.lifecycle import Fact
from npms_payments.domain.provider_events import ProviderEvent
from npms_payments.providers.base import (
    Answer,
    CheckoutRefused,
    EventUnreadable,
    Opened,
    ProviderUnreachable,
)
from npms_shared.money import format_amount, parse_amount
from npms_shared.web.schemas import Currency

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Status = Literal["open", "paid", "failed", "expired", "refunded"]
_FACTS = {
    "paid": Fact.SUCCEEDED,
    "failed": Fact.FAILED,
    "expired": Fact.EXPIRED,
    "refunded": Fact.REVERSED,
}
_WITH_MONEY = {"paid", "refunded"}


def _positive(text: str) -> str:
    if parse_amount(text) <= 0:
        raise ValueError("not a positive amount")
    return text


class _Checkout(BaseModel):
    """A checkout as the provider shows it, in webhooks and when asked."""

    reference: Name
    merchant_order: UUID
    status: Status
    amount: Annotated[str, AfterValidator(_positive)]
    currency: Currency
    transaction_id: Name | None = None
    refunded_transaction_id: Name | None = None
    checkout_url: str = ""
    refund_reason: Literal["refund", "chargeback"] = "refund"

    @model_validator(mode="after")
    def _names_its_money(self) -> "_Checkout":
        if self.status in _WITH_MONEY and not self.transaction_id:
            raise ValueError("money without a transaction_id")
        if self.status == "refunded" and not self.refunded_transaction_id:
            raise ValueError("money back without the transaction it takes back")
        return self


class _Webhook(BaseModel):
    type: Literal["checkout.paid", "checkout.failed", "checkout.expired", "checkout.refunded"]
    data: _Checkout

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "_Webhook":
        if self.type != f"checkout.{self.data.status}":
            raise ValueError("type and status differ")
        return self


class Paysim:
    name = "paysim"

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        callback_url: str,
        secrets: Sequence[webhooks.Secret],
    ) -> None:
        """`client` has the provider's base URL and the timeout of a call."""
        self._client, self._callback_url, self._secrets = client, callback_url, list(secrets)

    async def open_checkout(self, order_id: UUID, *, amount_micro: int, currency: str) -> Opened:
        body = {
            "merchant_order": str(order_id),
            "amount": format_amount(amount_micro),
            "currency": currency,
            "callback_url": self._callback_url,
        }
        response = await self._call("POST", "/checkouts", json=body)
        if response.is_client_error:
            raise CheckoutRefused(f"provider_{response.status_code}")
        return _opened(_read_checkout(response))

    async def ask(self, order_id: UUID) -> Answer | None:
        params = {"merchant_order": str(order_id)}
        response = await self._call("GET", "/checkouts", params=params)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.is_client_error:
            raise ProviderUnreachable(f"status {response.status_code}")
        found = _read_checkout(response)
        event = None
        if found.status != "open":
            event = self._event(f"asked:{found.reference}:{found.status}", found)
        return Answer(_opened(found), event, response.content)

    def read_event(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> ProviderEvent:
        event_id = webhooks.verify(self._secrets, headers, body, at=at)
        try:
            said = _Webhook.model_validate_json(body)
        except ValidationError as fault:
            raise EventUnreadable(event_id, f"{fault.error_count()} faults in its form") from None
        return self._event(event_id, said.data)

    async def close(self) -> None:
        await self._client.aclose()

    def _event(self, event_id: str, found: _Checkout) -> ProviderEvent:
        return ProviderEvent(
            provider=self.name,
            event_id=event_id,
            fact=_FACTS[found.status],
            order_id=found.merchant_order,
            txn_id=found.transaction_id if found.status in _WITH_MONEY else None,
            amount_micro=parse_amount(found.amount),
            currency=found.currency,
            chargeback=found.status == "refunded" and found.refund_reason == "chargeback",
            of_txn_id=found.refunded_transaction_id if found.status == "refunded" else None,
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            response = await self._client.request(method, path, json=json, params=params)
        except httpx.HTTPError as fault:
            raise ProviderUnreachable(type(fault).__name__) from None
        if response.is_server_error:
            raise ProviderUnreachable(f"status {response.status_code}")
        return response


def _read_checkout(response: httpx.Response) -> _Checkout:
    try:
        return _Checkout.model_validate_json(response.content)
    except ValidationError:
        raise ProviderUnreachable("an answer in an unknown form") from None


def _opened(found: _Checkout) -> Opened:
    return Opened(found.reference, found.checkout_url)
