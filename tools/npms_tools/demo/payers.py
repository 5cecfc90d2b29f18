"""How the people of the street pay: by bank, by voucher, online."""

import secrets
from typing import Any

from npms_tools.demo.clients import Clients
from npms_tools.demo.street_life import CURRENCY, Household


class Payers:
    """Remembers the last voucher and the last online payment, to try them again."""

    def __init__(self, api: Clients, *, run: str) -> None:
        self._api, self.run = api, run
        self.used_pin = self.reference = self.payment_id = ""

    def pay_by_bank(self, home: Household, amount: str, occasion: str = "first") -> None:
        reference = f"FT-{self.run}-{home.number}-{occasion}"
        self.bank_payment(str(home.account_id), amount, reference)

    def bank_payment(self, account_number: str, amount: str, reference: str) -> dict[str, Any]:
        """What the bank reports: the payment, or the suspense item it became."""
        body = {
            "account_number": account_number,
            "amount": _money(amount),
            "source": "bank",
            "reference": reference,
        }
        asked: dict[str, Any] = self._api.post("payments", "/v1/payments", body, key=reference)
        return self._recorded(asked["request_id"]) if "request_id" in asked else asked

    def _recorded(self, request_id: str) -> dict[str, Any]:
        """What it became, once another person has seen it on the statement too."""
        body = {"reason": "On the statement."}
        done = self._api.agreed("payments", f"/v1/money-requests/{request_id}", body=body)
        if done["payment_id"] is not None:
            return dict(self._api.get("payments", f"/v1/payments/{done['payment_id']}"))
        waiting = self._api.get("payments", "/v1/suspense", state="open")["items"]
        return next(item for item in waiting if item["suspense_id"] == done["suspense_id"])

    def redeem(self, home: Household, amount: str) -> None:
        """A voucher asked for, printed and activated by three people, and redeemed."""
        value = {"value": _money(amount), "count": 1}
        key = f"batch-{secrets.token_hex(4)}"
        batch = self._api.post("payments", "/v1/voucher-batches", value, key=key)
        place = f"/v1/voucher-batches/{batch['batch_id']}"
        printed = self._api.agreed("payments", place, "print")
        self._api.agreed("payments", place, "activate", by="third")
        self.used_pin = printed["vouchers"][0]["pin"]
        path = f"/v1/accounts/{home.account_id}/vouchers"
        self._api.post("payments", path, {"pin": self.used_pin}, key=f"redeem-{batch['batch_id']}")

    def pay_online(self, home: Household, amount: str) -> str:
        """Order, pay at the provider, which calls back; returns the outcome of its webhook."""
        order = self._api.post(
            "payments",
            f"/v1/accounts/{home.account_id}/top-ups",
            {"amount": _money(amount), "provider": "paysim"},
            key=f"order-{secrets.token_hex(4)}",
        )
        self.reference = order["checkout"]["reference"]
        paid = self._api.post("paysim", f"/checkouts/{self.reference}/pay", {})
        self.payment_id = order["payment_id"]
        return str(paid["deliveries"][0]["answer"]["outcome"])

    def receipt(self) -> dict[str, Any] | None:
        """What the ledger credited of the last online payment, once it has."""
        payment = self._api.get("payments", f"/v1/payments/{self.payment_id}")
        credit: dict[str, Any] | None = payment["credit"]
        return credit

    def payments_of(self, home: Household) -> list[Any]:
        return self._api.pages("payments", f"/v1/accounts/{home.account_id}/payments")


def _money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": CURRENCY}
