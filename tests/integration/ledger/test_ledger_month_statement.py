"""A month's statement adds up to the micro-unit in each of its three forms, and is soon made."""

import csv
import io
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pypdf import PdfReader
from tests.integration.ledger.adjusting import QUEUE, adjustment
from tests.integration.ledger.house import M
from tests.support.problems import refusal
from tests.support.values import micro

NAME = "Ελένη Ђорђевић-Nguyễn Öztürk & Söhne <Ltd>"
MARCH = datetime(2026, 3, 1, tzinfo=UTC) - timedelta(hours=3)
"""When the month begins in Nairobi."""


async def customer(house, **changes):
    request = house.request(**changes)
    request["customer"]["name"] = NAME
    return await house.open(customer=request["customer"], **changes)


async def lived(house):
    """An account that used, owed, borrowed and was put right in March; and used in April."""
    house.clock.at = MARCH - timedelta(days=2)
    opened = await customer(house, opening_debt={"amount": "90", "currency": "KES"})
    account_id = opened["account_id"]
    await house.pay(account_id, 60 * M)
    await house.charge((opened, 5 * M + 1))
    for day in (0, 1, 14):
        house.clock.at = MARCH + timedelta(days=day, hours=1)
        await house.charge((opened, 3 * M + 333_333), (opened, 4 * M + 7))
    await house.charge((opened, 25 * M))
    assert (await house.post(f"/v1/accounts/{account_id}/emergency-credit")).is_success
    await house.charge((opened, 20 * M))
    house.clock.advance(timedelta(days=1))
    await house.pay(account_id, 120 * M + 5, reference="=1+1")
    await house.receive(QUEUE, adjustment(house, opened, -2 * M - 3))
    house.clock.at = MARCH + timedelta(days=31, minutes=1)
    await house.charge((opened, 1 * M))
    return opened


async def ask(house, opened, name: str, **headers):
    path = f"/v1/accounts/{opened['account_id']}/statements/{name}"
    return await house.client.get(path, headers={**house.headers(), **headers})


async def month_of(house, opened, name: str):
    answer = await ask(house, opened, name)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_month_adds_up_day_by_day_and_bucket_by_bucket(house):
    opened = await lived(house)
    month = await month_of(house, opened, "2026-03")

    assert month["customer_name"] == NAME
    assert month["begins"] == "2026-03-01T00:00:00+03:00"
    assert month["over"] is True
    for bucket in month["buckets"]:
        moved = sum(micro(kind["amount"]) for kind in bucket["kinds"])
        assert micro(bucket["opening"]) + moved == micro(bucket["closing"])
    buckets = {bucket["bucket"]: bucket for bucket in month["buckets"]}
    assert set(buckets) == {"balance", "debt", "emergency"}
    charged = {kind["kind"]: micro(kind["amount"]) for kind in buckets["balance"]["kinds"]}
    assert micro(month["totals"]["charged"]) == -charged["charge"]
    for day in month["days"]:
        assert sum(micro(line["amount"]) for line in day["lines"]) == micro(day["charged"])
        for top_up in day["top_ups"]:
            assert sum(micro(part["amount"]) for part in top_up["parts"]) == micro(top_up["amount"])
    by_day = [micro(day["charged"]) for day in month["days"]]
    assert sum(by_day) == micro(month["totals"]["charged"])
    assert sum(micro(line["amount"]) for line in month["totals"]["lines"]) == sum(by_day)
    assert month["totals"]["energy"]["value"] == "8.000"
    assert month["days"][-1]["balance"] == buckets["balance"]["closing"]
    assert [day["date"] for day in month["days"]] == [
        *("2026-03-01", "2026-03-02", "2026-03-15", "2026-03-16")
    ]
    last = month["days"][-1]
    assert [part["what"] for part in last["top_ups"][0]["parts"]] == [
        *("payment_debt", "emergency_credit", "balance")
    ]
    assert [other["kind"] for other in last["others"]] == ["correction"]
    assert last["others"][0]["reason"] == "the price of March was wrong"


async def test_months_follow_each_other_without_a_gap(house):
    opened = await lived(house)
    february, march, april = [
        await month_of(house, opened, f"2026-0{number}") for number in (2, 3, 4)
    ]
    for one, other in ((february, march), (march, april)):
        closing = {bucket["bucket"]: bucket["closing"] for bucket in one["buckets"]}
        for bucket in other["buckets"]:
            nothing = {"amount": "0.000000", "shown": "0.00", "currency": "KES"}
            assert closing.get(bucket["bucket"], nothing) == bucket["opening"]
    assert april["over"] is False
    shown = await house.account(opened["account_id"])
    assert micro(april["buckets"][0]["closing"]) == micro(shown["balance"])


async def test_the_table_adds_up_and_holds_no_formula(house):
    opened = await lived(house)
    answer = await ask(house, opened, "2026-03.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    sums, closing = defaultdict(int), {}
    for row in rows:
        if row["type"] == "closing":
            closing[row["bucket"]] = micro(row)
        else:
            sums[row["bucket"]] += micro(row)
    assert closing == dict(sums)
    assert len(closing) == 3
    assert "'=1+1" in {row["reference"] for row in rows}
    energy = sum(Decimal(row["energy_kwh"] or 0) for row in rows)
    assert energy == Decimal("8.000")
    exact = next(row for row in rows if row["component"] == "energy")
    assert exact["amount_shown"] == f"{Decimal(exact['amount']):.2f}"


async def test_the_paper_says_what_the_other_forms_say(house):
    opened = await lived(house)
    answer = await ask(house, opened, "2026-03.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == (await ask(house, opened, "2026-03.pdf")).content
    pages = PdfReader(io.BytesIO(answer.content)).pages
    text = " ".join("\n".join(page.extract_text() for page in pages).split())
    month = await month_of(house, opened, "2026-03")
    assert NAME in text
    for bucket in month["buckets"]:
        for end in ("opening", "closing"):
            money = bucket[end]
            assert f"{bucket['bucket']}, {end} {money['shown']} {money['amount']}" in text
    for line in month["totals"]["lines"]:
        assert line["amount"]["shown"] in text
    energy = month["totals"]["energy"]["value"]
    assert f"energy, peak, block 2 {energy} " in text
    assert f"all charges {energy} {month['totals']['charged']['shown']}" in text
    for day in month["days"]:
        assert day["date"] in text
        for top_up in day["top_ups"]:
            for part in top_up["parts"]:
                what = part["what"].replace("_", " ")
                assert f"of it to {what} {part['amount']['shown']}" in text
    assert "the price of March was wrong" in text
    assert "top-up voucher =1+1 120.00" in text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/pdf", "application/pdf"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/html, text/*;q=0.2", "text/csv; charset=utf-8"),
        ("text/html", "application/problem+json"),
        ("application/pdf;q=0", "application/problem+json"),
    ],
)
async def test_the_caller_chooses_the_form(house, accept, kind):
    opened = await lived(house)
    answer = await ask(house, opened, "2026-03", Accept=accept)
    assert answer.headers["content-type"] == kind
    assert answer.status_code == (406 if "problem" in kind else 200)


async def test_there_is_no_statement_of_a_month_that_was_not_lived(house):
    opened = await lived(house)
    for name in ("2026-01", "2026-05"):
        answer = await ask(house, opened, name)
        assert refusal(answer) == (404, "no_statement")
    for name in ("2026-13", "2026", "latest", "2026-03.txt"):
        assert (await ask(house, opened, name)).status_code in {404, 422}


async def test_a_busy_month_is_told_within_a_second_of_work(house):
    """A charge every fifteen minutes; processor time, so that a busy machine changes nothing."""
    house.clock.at = MARCH
    opened = await customer(house)
    await house.pay(opened["account_id"], 40_000 * M)
    for _ in range(30):
        house.clock.advance(timedelta(hours=23))
        await house.charge(*[(opened, 1 * M + 1)] * 100)
    took = {}
    for form in ("json", "csv", "pdf"):
        began = time.process_time()
        answer = await ask(house, opened, f"2026-03.{form}")
        took[form] = time.process_time() - began
        assert answer.status_code == 200
    month = await month_of(house, opened, "2026-03")
    assert micro(month["totals"]["charged"]) == 3_000 * (M + 1)
    assert max(took.values()) < 1.0, took
