"""Somebody else's account looks like none, in every service and on every path that names one."""

import pytest
from tests.integration.rest.five import SERVICES, Five, Operation, bodies, operations

STAFF_ONLY = {"protect_account", "close_account", "fix_money", "swap_meter", "move_out",
              "request_refund", "keep_supply_on", "end_keep_supply_on", "list_keep_ons", "add_debt",
              "change_debt", "grant_credit", "end_grant"}  # fmt: skip
"""Closed to customers whatever the account: 403, also for their own."""
SHOWN = {"get_account", "list_supplies", "list_statement", "explain_posting",
         "explain_balance", "explain_supply", "get_month_statement", "export_month_statement_csv",
         "get_month_statement_json", "export_month_statement_pdf", "get_usage", "list_payments",
         "get_contacts", "list_deliveries", "list_supply_decisions", "try_top_up", "list_debts",
         "list_credits", "export_usage_csv", "export_usage_green_button",
         "get_insights"}  # fmt: skip
DAY = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-03T00:00:00Z"}
PARAMS = {
    "get_usage": DAY,
    "export_usage_csv": DAY,
    "export_usage_green_button": DAY,
    "try_top_up": {"amount": "100.00"},
}
NOBODYS = 999_999


def of_accounts(five: Five) -> list[Operation]:
    return [
        op
        for service in SERVICES
        for op in operations(service, five.openapi[service])
        if "account_id" in op.parameters("path")
    ]


async def ask(five: Five, op: Operation, account_id: int, headers: dict[str, str]) -> int:
    answer = await five.call(
        op.service,
        op.method,
        op.path_with(account_id=account_id),
        bodies().get(op.name),
        headers=headers,
        params=PARAMS.get(op.name),
    )
    assert answer.is_success or answer.json()["instance"].startswith("/v1/accounts/")
    return answer.status_code


async def test_a_customer_does_not_see_somebody_else_s_account(five: Five) -> None:
    asked = of_accounts(five)
    assert {op.service for op in asked} == set(SERVICES) - {"meter-gateway"}
    for op in asked:
        wanted = 403 if op.name in STAFF_ONLY else 404
        for account_id in (five.theirs, NOBODYS):
            assert await ask(five, op, account_id, five.as_customer()) == wanted, op.name


async def test_a_customer_sees_what_is_theirs(five: Five) -> None:
    """Else the test above would be content with doors that never open."""
    seen = {
        op.name: await ask(five, op, five.mine, five.as_customer())
        for op in of_accounts(five)
        if op.method == "GET" and op.name not in STAFF_ONLY
    }
    assert seen == dict.fromkeys(SHOWN, 200)


@pytest.mark.parametrize("claims", [{}, {"customer_id": NOBODYS}])
async def test_a_customer_of_no_account_sees_none(five: Five, claims: dict[str, int]) -> None:
    headers = five.issuer.headers("customer", **claims)
    for op in of_accounts(five):
        if op.name not in STAFF_ONLY:
            assert await ask(five, op, five.theirs, headers) == 404, op.name


async def test_lists_show_a_customer_only_what_is_theirs(five: Five) -> None:
    me = five.as_customer()
    accounts = (await five.call("ledger", "GET", "/v1/accounts", headers=me)).json()["items"]
    assert [account["account_id"] for account in accounts] == [five.mine]
    for account_id in (five.mine, five.theirs):
        path = f"/v1/accounts/{account_id}/tickets"
        opened = await five.good("notifier", "POST", path, bodies()["open_ticket"])
        ticket = f"/v1/tickets/{opened['ticket_id']}"
        seen = await five.call("notifier", "GET", ticket, headers=me)
        assert seen.status_code == (200 if account_id == five.mine else 404)
        body = bodies()["write_ticket_message"]
        if account_id == five.theirs:
            for rest in ("messages", "close"):
                answer = await five.call("notifier", "POST", f"{ticket}/{rest}", body, headers=me)
                assert answer.status_code == 404
    tickets = (await five.call("notifier", "GET", "/v1/tickets", headers=me)).json()["items"]
    assert {ticket["account_id"] for ticket in tickets} == {five.mine}
    theirs = {"account_id": str(five.theirs)}
    answer = await five.call("notifier", "GET", "/v1/tickets", headers=me, params=theirs)
    assert answer.status_code == 404
