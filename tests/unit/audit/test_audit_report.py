"""Comparing, telling and finding the way: the audit's own parts."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from npms_operations.audit.findings import Result
from npms_operations.audit.merging import merged
from npms_operations.audit.places import Broker, find_places
from npms_operations.audit.report import SHOWN, table, write_json
from npms_operations.errors import CommandError
from npms_operations.installation import variable_of


async def rows(*given: tuple[Any, ...]) -> AsyncIterator[Any]:
    for row in given:
        yield row


async def test_streams_are_merged_by_their_first_column():
    streams = rows((1, "a"), (3, "b")), rows((2, "c"), (3, "d")), rows()
    found = [pair async for pair in merged(*streams)]
    assert found == [
        (1, [(1, "a"), None, None]),
        (2, [None, (2, "c"), None]),
        (3, [(3, "b"), (3, "d"), None]),
    ]


async def test_a_stream_out_of_order_is_noticed():
    with pytest.raises(AssertionError, match="not in order"):
        [pair async for pair in merged(rows((2,), (1,)))]


def test_the_table_says_what_was_checked_and_names_what_is_broken():
    good, bad = Result("sums"), Result("chains")
    good.count("journals", 1204)
    good.notes.append("something to know")
    for number in range(SHOWN + 2):
        bad.expect(f"installation {number}", "register", found=1, expected=2)
    lines = list(table([good, bad]))
    assert lines[1].split() == ["sums", "ok", "1,204", "journals"]
    assert lines[2].split() == ["chains", "22", "BROKEN"]
    assert "  installation 0: register is 1, expected 2" in lines
    assert "  … and 2 more" in lines
    assert lines[-1] == "note, sums: something to know"


def test_the_file_has_every_rule(tmp_path: Path):
    bad = Result("chains")
    bad.broken("installation 7", "a gap")
    write_json([Result("sums"), bad], tmp_path / "audit.json")
    content = json.loads((tmp_path / "audit.json").read_text())
    assert content["holds"] is False
    assert [rule["holds"] for rule in content["rules"]] == [True, False]
    assert content["rules"][1]["findings"] == [{"subject": "installation 7", "says": "a gap"}]


def test_urls_of_the_environment_are_taken():
    services = ("ledger", "tariff", "meter-gateway", "payments", "notifier")
    given = {
        variable_of(service, "database_url"): f"postgresql://{service}" for service in services
    }
    assert "NPMS_METER_GATEWAY_DATABASE_URL" in given
    places = find_places(given)
    assert places.databases["meter-gateway"] == "postgresql://meter-gateway"
    assert places.broker is None
    urls = {
        "NPMS_MANAGEMENT_URL": "http://u:p@127.0.0.1:1/",
        "NPMS_AMQP_URL": "amqp://u:p@127.0.0.1:2/a%2Fb",
    }
    broker = find_places(given | urls).broker
    assert broker == Broker("http://u:p@127.0.0.1:1", "a/b")


def test_an_audit_without_its_databases_names_all_that_are_missing():
    with pytest.raises(CommandError, match=r"NPMS_TARIFF_DATABASE_URL.*NPMS_NOTIFIER_DATABASE_URL"):
        find_places({"NPMS_LEDGER_DATABASE_URL": "postgresql://ledger"})
