"""With which meters an account is opened: an address is one meter, what cannot be is refused."""

from tests.support.migrating import migrated_by_steps
from tests.support.problems import refusal

from npms_ledger.handlers.note import note_profile
from npms_shared.contracts.meter_gateway import ProfilePublished

SPELLINGS = ("localhost", "127.1", "0", "2130706433", "0x7f.1", "::1", "[::ffff:127.0.0.1]")


def of_address(request, host, unit_id=7, **meter):
    request["meter"] |= {"host": host, "port": 5502, "unit_id": unit_id, **meter}
    return request


async def test_one_meter_is_one_however_its_address_is_spelled(house):
    opened = await house.post("/v1/accounts", of_address(house.request(), "127.0.0.1"), key="a")
    assert opened.status_code == 201, opened.text
    for number, host in enumerate(SPELLINGS):
        again = of_address(house.request(), host)
        answer = await house.post("/v1/accounts", again, key=f"again-{number}")
        assert refusal(answer) == (409, "meter_address_taken"), host

    other = await house.open(meter=of_address(house.request(), "LocalHost.", 8)["meter"])
    detail = (await house.account(other["account_id"]))["installations"][0]
    assert detail["meter"]["host"] == "127.0.0.1", "kept, shown and told in one spelling"
    swap = {
        "closing_register": {"value": "100.000"},
        "meter": of_address(house.request(), "127.1")["meter"],
        "opening_register": {"value": "0.000"},
        "reason": "Burnt.",
    }
    path = f"/v1/accounts/{other['account_id']}/installations/{other['installation_id']}/swap"
    answer = await house.post(path, swap, key="swap")
    assert refusal(answer) == (409, "meter_address_taken")


async def test_what_the_gateway_would_refuse_of_a_meter_is_refused_when_an_account_is_opened(house):
    """And not parked there for ever while the customer waits."""
    async with house.database.transaction() as conn:
        for name, pattern in (("by_number", "[0-9]{1,12}"), ("p1", "")):
            published = ProfilePublished(
                profile=name, vendor="v", model="m", has_relay=True, serial_pattern=pattern
            )
            await note_profile(conn, published)
    refused = (
        ({"host": "meters/5"}, "bad_host", "/meter/host"),
        ({"host": "10.0.0.256"}, "bad_host", "/meter/host"),
        ({"profile": "by_number", "serial": "KE-1"}, "bad_serial", "/meter/serial"),
        ({"profile": "by_number", "serial": "1234567890123"}, "bad_serial", "/meter/serial"),
        ({"profile": "no_such"}, "unknown_profile", "/meter/profile"),
    )
    for number, (meter, code, pointer) in enumerate(refused):
        request = of_address(house.request(), **{"host": "10.0.0.1", **meter})
        answer = await house.post("/v1/accounts", request, key=f"key-{number}")
        assert answer.status_code == 422, meter
        assert answer.json()["code"] == code
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    good = of_address(house.request(), "10.0.0.1", profile="by_number", serial="000000000042")
    assert (await house.post("/v1/accounts", good, key="good")).status_code == 201


async def test_addresses_of_before_get_their_one_spelling(nodes, house):
    """Of two that turn out to be one meter the later keeps its own: which is right is not known."""
    async with migrated_by_steps(nodes, "ledger") as (migrate, owner):
        await migrate("0015")
        await owner.execute(
            """
            SET session_replication_role = replica;
            INSERT INTO installation (account_id, usage_point_id, serial, profile, host, port,
                                      unit_id, plan_code, opening_register_wh, opened_at, closed_at)
            VALUES (1, 1, 'A', 'p', 'LocalHost', 502, 1, 'f', 0, now(), NULL),
                   (2, 2, 'B', 'p', '127.1', 502, 1, 'f', 0, now(), NULL),
                   (3, 3, 'C', 'p', '127.1', 502, 2, 'f', 0, now(), NULL),
                   (4, 4, 'D', 'p', '127.1', 502, 1, 'f', 0, now(), now()),
                   (5, 5, 'E', 'p', 'no host/at all', 502, 1, 'f', 0, now(), NULL),
                   (6, 6, 'F', 'p', '0', 0, 1, 'f', 0, now(), NULL)
            """
        )
        await migrate("0016")
        rows = await owner.fetch("SELECT serial, host FROM installation")
    hosts = dict(rows)
    same = hosts.pop("A"), hosts.pop("B")
    assert sorted(same) in (["127.0.0.1", "127.1"], ["127.0.0.1", "LocalHost"])
    assert hosts == {"C": "127.0.0.1", "D": "127.0.0.1", "E": "no host/at all", "F": "0"}
