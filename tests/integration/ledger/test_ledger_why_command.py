"""`npms why` says in words, and in --json exactly, what the ledger answers."""

import asyncio
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from tests.integration.ledger.house import M
from tests.integration.ledger.test_ledger_why import PLAIN, why
from typer.testing import CliRunner

from npms_tools import cli
from npms_tools.stack.errors import StackError
from npms_tools.stack.issuer import Issuer
from npms_tools.why import answers
from npms_tools.why import cli as why_cli

RATING = {
    "rated_until": "2026-03-04T12:00:00Z",
    "scopes": [
        {
            "month": "2026-03",
            "slots": [
                {
                    "period": "peak",
                    "block": 2,
                    "upto": None,
                    "energy": {"value": "3.000", "unit": "kWh"},
                    "price": {"amount": "12.000000", "currency": "KES"},
                }
            ],
        }
    ],
}


@pytest.fixture
async def told(house):
    """Every answer that the commands below ask for, by path."""
    opened = await house.open(credit_policy=PLAIN, opening_debt={"amount": "8", "currency": "KES"})
    account_id = opened["account_id"]
    payment = await house.pay(account_id, 10 * M)
    house.clock.advance(timedelta(minutes=1))
    await house.charge((opened, 15 * M))
    rows = await house.rows("SELECT seq FROM posting WHERE kind = 'charge'")
    seq = rows[0].seq
    paths = {
        "charge": f"/v1/accounts/{account_id}/postings/{seq}/why",
        "balance": f"/v1/accounts/{account_id}/why",
        "cut": f"/v1/accounts/{account_id}/supply/why",
        "top-up": f"/v1/payments/{payment.payment_id}/why",
    }
    words = {
        "charge": ["charge", str(account_id), str(seq)],
        "balance": ["balance", str(account_id)],
        "cut": ["cut", str(account_id)],
        "top-up": ["top-up", str(payment.payment_id)],
    }
    found = {path: await why(house, path.removeprefix("/v1/")) for path in paths.values()}
    return found, paths, words


def run(*arguments: str):
    return CliRunner().invoke(cli.command_line(["why"]), ["why", *arguments])


SAID = {
    "charge": [
        "reading to: installation 1 at 2026-03-04T12:01:00Z, register 101.000 kWh",
        "plan household v3, 1.000 kWh",
        "energy peak block 2, 1.000 kWh at 13.500000 a unit",
        "    = 13.500000 - 0.000000",
        "peak, block 2: 3.000 kWh at",
    ],
    "balance": ["balance, opening", "charge (1)", "-15.000000 KES", "Charged for:", "tax vat"],
    "cut": ["because the credit had run out", "had avoided it", "5.000001 KES", "charge (1)"],
    "top-up": ["voucher V-1", "10.000000 KES", "balance: 0.000000 -> 10.000000"],
}


@pytest.mark.parametrize("what", list(SAID))
async def test_the_command_says_what_the_ledger_answers(told, what, monkeypatch):
    found, paths, words = told

    def ask(stack: str, service: str, path: str, **query: str):
        assert stack == "demo"
        return RATING if service == "tariff" else found[path]

    monkeypatch.setattr(why_cli, "ask", ask)
    shown = run(*words[what])
    assert shown.exit_code == 0, shown.output
    for piece in SAID[what]:
        assert piece in shown.output
    exact = run(*words[what], "--json")
    assert json.loads(exact.output) == found[paths[what]]


async def test_a_span_of_time_is_handed_on(monkeypatch):
    asked = {}

    def ask(stack: str, service: str, path: str, **query: str):
        asked.update(query, stack=stack)
        return {"first_seq": 1, "last_seq": 0, "buckets": [], "charged": []}

    monkeypatch.setattr(why_cli, "ask", ask)
    at = "2026-11-01T00:00:00+03:00"
    shown = run("balance", "7", "--from", at, "--stack", "other")
    assert "Nothing was posted." in shown.output
    assert asked == {"from": at, "stack": "other"}


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; refuses what has `refuse` in its path."""

    def do_GET(self) -> None:
        refused = "refuse" in self.path
        told = {"path": self.path, "token": self.headers["Authorization"], "detail": "not today"}
        self.send_response(404 if refused else 200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def echo(tmp_path, monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack = SimpleNamespace(issuer=Issuer(tmp_path))
    up = {"tariff": SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}")}
    monkeypatch.setattr(answers, "Stack", lambda _name: stack)
    monkeypatch.setattr(answers, "Services", lambda _stack: up)
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("echo")
async def test_the_query_of_a_link_and_the_token_arrive():
    linked = await asyncio.to_thread(answers.ask, "demo", "tariff", "/v1/x/why?from=a%2B1&to=b")
    assert linked["path"] == "/v1/x/why?from=a%2B1&to=b"
    assert linked["token"].startswith("Bearer ey")
    asked = await asyncio.to_thread(answers.ask, "demo", "tariff", "/v1/x", **{"from": "a+1"})
    assert asked["path"] == "/v1/x?from=a%2B1"
    with pytest.raises(StackError, match="404 not today"):
        await asyncio.to_thread(answers.ask, "demo", "tariff", "/v1/refuse")


async def test_a_stack_that_does_not_run_is_said_to_be_down(tmp_path, monkeypatch):
    stack = SimpleNamespace(issuer=Issuer(tmp_path))
    down = {"ledger": SimpleNamespace(url="http://127.0.0.1:9")}
    monkeypatch.setattr(answers, "Stack", lambda _name: stack)
    monkeypatch.setattr(answers, "Services", lambda _stack: down)
    with pytest.raises(StackError, match="no ledger answers at"):
        answers.ask("why-test", "ledger", "/v1/accounts/1/why")
