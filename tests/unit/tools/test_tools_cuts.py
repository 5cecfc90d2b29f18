"""`npms cuts` asks page after page and prints a table."""

from typing import Any

import pytest
from tests.support.answering import Answer, Heard, answering

from npms_operations.cuts import foreseen, table
from npms_operations.errors import CommandError
from npms_operations.installation import TOKEN_VARIABLE, Installation


def item(account_id: int, **changes: Any) -> dict[str, Any]:
    amount = {"amount": "1.000000", "currency": "KES"}
    return {
        "account_id": account_id,
        "cut_at": "2026-03-04T22:00:00Z",
        "reason": "exhausted",
        "hold_ended": None,
        "credit_policy": "town",
        "credit_policy_version": 2,
        "balance": amount,
        "balance_then": amount,
        "use_per_day": amount,
        "amount_to_avoid": {"amount": "12.340000", "currency": "KES"},
        **changes,
    }


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "a-token")


def test_every_page_is_asked_for() -> None:
    def answer(asked: Heard) -> Answer:
        second = asked.query.get("cursor") == "c"
        page = {"items": [item(2 if second else 1)], "next_cursor": None if second else "c"}
        return 200, {**page, "assumption": "as lately"}

    with answering(answer) as ledger:
        asked = Installation({"ledger": ledger.url})
        items, assumption = foreseen(asked, hours=6, policy="town")
    assert [one["account_id"] for one in items] == [1, 2]
    assert assumption == "as lately"
    for heard in ledger.heard:
        assert (heard.path, heard.token) == ("/v1/dry-run/cuts", "a-token")
        assert (heard.query["hours"], heard.query["credit_policy"]) == ("6", "town")


def test_a_row_says_why_and_what_avoids_it() -> None:
    heading, row = table([item(17, hold_ended="friendly_hours")])
    assert heading.split()[0] == "account"
    for part in ("17", "exhausted (friendly_hours ends)", "town v2", "12.340000 KES"):
        assert part in row


def test_a_refusal_and_silence_are_said() -> None:
    with answering(lambda _: (403, {"detail": "not yours"})) as ledger:
        refusing = Installation({"ledger": ledger.url})
        with pytest.raises(CommandError, match="403 not yours"):
            foreseen(refusing, hours=1, policy=None)
    with pytest.raises(CommandError, match="no ledger answers at"):
        foreseen(refusing, hours=1, policy=None)
