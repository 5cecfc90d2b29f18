"""What messages of an MQTT broker say, and what is said of those that say nothing."""

import json
from typing import Any

import pytest

from npms_meter_gateway.domain.broker import Broker, broker_of
from npms_meter_gateway.handlers.take_messages import Unreadable
from npms_meter_gateway.handlers.take_readings import SentReading
from npms_meter_gateway.intake.payload import LARGEST, MOST, read_message

AT, AT_S = "2026-11-23T18:15:00+03:00", 1_795_446_900
GOOD: dict[str, Any] = {"taken_at": AT, "register_wh": 1_250_000}


def says(body: Any, topic: str = "npms/v1/meters/M1/readings") -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_message("npms/v1", topic, raw).says


@pytest.mark.parametrize(
    ("register", "wh"),
    [
        ({"register_wh": 1_250_000}, 1_250_000),
        ({"register_kwh": "1250.0019"}, 1_250_001),
        ({"register_kwh": 1250.001}, 1_250_001),
        ({"register_kwh": 123456789.123}, 123_456_789_123),
        ({"register_kwh": 7}, 7_000),
    ],
)
def test_a_register_is_exact_in_each_form(register: dict[str, Any], wh: int) -> None:
    [one] = says({"taken_at": AT, **register})
    assert one.reading == SentReading("M1", AT_S, wh)


def test_what_else_a_meter_tells_is_kept_and_what_we_do_not_know_left_alone() -> None:
    body = {**GOOD, "power_w": -40, "voltage_v": "229.75", "relay": "off", "rssi": -71}
    [one] = says(body)
    assert (one.power_w, one.voltage_mv, one.relay, one.is_sight) == (-40, 229_750, "off", True)
    [bare] = says(GOOD)
    assert not bare.is_sight


def test_a_serial_is_spelled_as_at_its_opening() -> None:
    decomposed, composed = "Cafe\u0301 7", "Caf\u00e9 7"
    topic = f"npms/v1/meters/{decomposed}/readings"
    [by_topic] = says({**GOOD, "serial": composed}, topic)
    [by_item] = says({**GOOD, "serial": decomposed}, "npms/v1/readings")
    assert by_topic.reading.meter == by_item.reading.meter == composed
    assert says(GOOD, "npms/v1/meters/M\u200b1/readings").code == "malformed"


def test_a_list_and_a_topic_of_many_meters() -> None:
    body = [{**GOOD, "serial": "A"}, {**GOOD, "serial": "B"}]
    assert [one.reading.meter for one in says(body, "npms/v1/readings")] == ["A", "B"]
    assert [one.reading.meter for one in says([GOOD, GOOD])] == ["M1", "M1"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"1250.5", "Input should be an object"),
        (json.dumps(GOOD).encode() * 2, "Invalid JSON"),
        (b"[]", "0 readings"),
        ([GOOD] * (MOST + 1), f"{MOST + 1} readings"),
        (b" " * (LARGEST + 1), "at most"),
        ({"taken_at": AT}, "either register_wh or register_kwh"),
        ({**GOOD, "register_kwh": "1"}, "either register_wh or register_kwh"),
        ({**GOOD, "taken_at": "2026-11-23T18:15:00"}, "taken_at"),
        ({**GOOD, "register_wh": -1}, "register_wh"),
        ({**GOOD, "register_wh": 1.5}, "register_wh"),
        ({"taken_at": AT, "register_kwh": "12,5"}, "register_kwh"),
        ({"taken_at": AT, "register_kwh": 1e30}, "register_kwh"),
        (b'{"taken_at": "' + AT.encode() + b'", "register_kwh": NaN}', "register_kwh"),
        ([GOOD, {**GOOD, "relay": "maybe"}], "1.relay"),
        ({**GOOD, "serial": "M2"}, "M2; the topic: M1"),
    ],
)
def test_what_is_malformed_is_named_with_its_place(body: Any, words: str) -> None:
    fault = says(body)
    assert isinstance(fault, Unreadable)
    assert words in fault.detail


def test_a_reading_of_no_meter_is_none() -> None:
    assert "missing" in says(GOOD, "npms/v1/readings").detail


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://npms@broker.example:1884", Broker("broker.example", 1884, "npms", tls=False)),
        ("mqtts://broker.example", Broker("broker.example", 8883, None, tls=True)),
    ],
)
def test_where_a_broker_is(url: str, broker: Broker) -> None:
    assert broker_of(url) == broker


@pytest.mark.parametrize(
    "url", ["http://x", "mqtt://", "mqtt://u:secret@x", "mqtt://x:port", "mqtt://x/path", "x"]
)
def test_what_is_no_broker(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected mqtt|password"):
        broker_of(url)
