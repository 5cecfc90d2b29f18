"""`npms why` says in words, and in --json exactly, what the ledger answers."""

import json
from datetime import timedelta

import pytest
from tests.integration.ledger.house import PLAIN, M
from tests.support.answering import answering
from typer.testing import CliRunner

from npms_operations.asking import ask
from npms_operations.installation import Installation, find_installation
from npms_operations.why import cli as why_cli
from npms_tools import cli

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
async def explained(house):
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
    found = {path: await house.read(path) for path in paths.values()}
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
async def test_the_command_says_what_the_ledger_answers(explained, what, monkeypatch):
    found, paths, words = explained

    def ask(installation: Installation, service: str, path: str, **query: str):
        assert installation.url("ledger") == "https://ledger.example"
        return RATING if service == "tariff" else found[path]

    monkeypatch.setattr(why_cli, "ask", ask)
    shown = run(*words[what], "--url", "https://ledger.example")
    assert shown.exit_code == 0, shown.output
    for piece in SAID[what]:
        assert piece in shown.output
    exact = run(*words[what], "--url", "https://ledger.example", "--json")
    assert json.loads(exact.output) == found[paths[what]]


def test_a_span_of_time_the_link_of_a_rating_and_the_token_arrive(tmp_path, monkeypatch):
    monkeypatch.setenv("UTILITY_TOKEN", "a-token")
    nothing = {"first_seq": 1, "last_seq": 0, "buckets": [], "charged": []}
    with answering(lambda _: (200, nothing)) as ledger:
        profile = tmp_path / "profile.toml"
        profile.write_text(f'token = "UTILITY_TOKEN"\n[services]\nledger = "{ledger.url}/"\n')
        at = "2026-11-01T00:00:00+03:00"
        shown = run("balance", "7", "--from", at, "--profile", str(profile))
        ask(find_installation(profile, None, of="ledger"), "ledger", "/v1/x?from=a%2B1&to=b")
    assert "Nothing was posted." in shown.output
    asked, linked = ledger.heard
    assert (asked.path, asked.query, asked.token) == (
        "/v1/accounts/7/why",
        {"from": at},
        "a-token",
    )
    assert linked.query == {"from": "a+1", "to": "b"}
