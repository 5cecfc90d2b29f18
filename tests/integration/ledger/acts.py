"""What people do about an account's money and meters, over REST."""

from typing import Any

import httpx
from tests.integration.ledger.house import House
from tests.support.values import kwh, money

from npms_shared.ids import new_id

BOSS = {"sub": "the-boss"}
"""Who agrees to what others ask for."""
Opened = dict[str, Any]


async def fix_money(house: House, account_id: int, amount: str, **claims: Any) -> httpx.Response:
    body = {"amount": money(amount), "reason": "The voucher was never credited."}
    path = f"/v1/accounts/{account_id}/money-fixes"
    return await house.post(path, body, key=claims.pop("key", str(new_id())), **claims)


async def transfer(
    house: House, opened: Opened, to: Opened, amount: str, **claims: Any
) -> httpx.Response:
    body = {
        "to_account_id": to["account_id"],
        "amount": money(amount),
        "reason": "to my other meter",
    }
    path = f"/v1/accounts/{opened['account_id']}/transfers"
    return await house.post(path, body, key=claims.pop("key", str(new_id())), **claims)


async def reallocate(house: House, payment: Any, to: Opened, **claims: Any) -> httpx.Response:
    body = {"to_account_id": to["account_id"], "reason": "Typed the neighbour's number."}
    path = f"/v1/payments/{payment.payment_id}/reallocate"
    return await house.post(path, body, key=claims.pop("key", str(new_id())), **claims)


async def decide(
    house: House, request_id: str, verb: str = "approve", **claims: Any
) -> httpx.Response:
    """About a money request."""
    return await house.agree(f"/v1/money-requests/{request_id}", verb, **claims)


async def move_out(house: House, opened: Opened, *finals: tuple[int, str]) -> httpx.Response:
    readings = [{"installation_id": number, "register": kwh(value)} for number, value in finals]
    body = {"final_readings": readings, "reason": "Moves to another town."}
    return await house.post(f"/v1/accounts/{opened['account_id']}/move-out", body)


async def request_refund(house: House, opened: Opened, **claims: Any) -> httpx.Response:
    body = {"payee": "A. Otieno, +254700000001", "reason": "Moved out."}
    path = f"/v1/accounts/{opened['account_id']}/refund"
    return await house.post(path, body, key=claims.pop("key", str(new_id())), **claims)
