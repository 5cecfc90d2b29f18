"""What the street runs on: plans and credit policies, and who has an account already."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from npms_tools.demo.clients import Clients
from npms_tools.demo.street_life import CURRENCY
from npms_tools.stack.errors import StackError
from npms_tools.stack.local import WORKSPACE

EXAMPLES = WORKSPACE / "services" / "tariff" / "examples"
DEBT_SHARE = Decimal("0.25")
FRIENDLY_FOR = timedelta(hours=23)


def plans() -> dict[str, dict[str, Any]]:
    """The example plans by code."""
    documents = [json.loads(file.read_text()) for file in sorted(Path(EXAMPLES).glob("*.json"))]
    return {document["plan_code"]: document for document in documents}


def plan_of(number: int) -> str:
    """Plans go round in the street."""
    codes = sorted(plans())
    return codes[number % len(codes)]


def ensure_plan(api: Clients, code: str, document: dict[str, Any]) -> None:
    """Drafted by one person and put in force by another, unless both were done before."""
    answer = api.call("POST", "tariff", "/v1/plans", json=document)
    if answer.is_error and answer.status_code != 409:
        raise StackError(f"plan {code} was refused: {answer.text}")
    answer = api.agree("tariff", f"/v1/plans/{code}/versions/1", "activate")
    if answer.is_error and answer.status_code != 409:
        raise StackError(f"plan {code} was not activated: {answer.text}")


def put_policies(api: Clients, local_now: datetime) -> None:
    """One for the street; one with friendly hours that have just begun."""
    street = {
        "currency": CURRENCY,
        "low_balance": [{"at": "60.00", "rearm": "70.00"}],
        "emergency": {"limit": "25.00", "offer_at": "30.00", "reoffer_above": "40.00"},
        "debt_share_ppm": int(DEBT_SHARE * 1_000_000),
    }
    begun = local_now - timedelta(minutes=30)
    friendly = {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "from": begun.strftime("%H:%M"),
        "to": (begun + FRIENDLY_FOR).strftime("%H:%M"),
    }
    evening = {**street, "friendly_hours": [friendly]}
    del evening["emergency"]
    _put_policy(api, "street", street)
    _put_policy(api, "street-evening", evening)


def _put_policy(api: Clients, code: str, policy: dict[str, Any]) -> None:
    """Asked for by one person and put in force by another; nothing where it is in force."""
    asked = api.put("ledger", f"/v1/credit-policies/{code}", policy)
    if "request_id" in asked:
        place = f"/v1/credit-policy-requests/{asked['request_id']}"
        api.agreed("ledger", place, body={"reason": "As agreed."})


def accounts_by_serial(api: Clients) -> dict[str, tuple[int, int]]:
    """(account_id, installation_id) of every open meter the ledger knows."""
    known: dict[str, tuple[int, int]] = {}
    for account in api.pages("ledger", "/v1/accounts"):
        detail = api.get("ledger", f"/v1/accounts/{account['account_id']}")
        for installation in detail["installations"]:
            if installation["closed_at"] is None:
                ids = (account["account_id"], installation["installation_id"])
                known[installation["meter"]["serial"]] = ids
    return known
