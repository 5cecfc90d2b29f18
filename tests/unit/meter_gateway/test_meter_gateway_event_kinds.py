"""Every kind of event is described, in the code and to its readers."""

from pathlib import Path

from npms_meter_gateway.domain.event_kinds import KINDS, severity_of
from npms_meter_gateway.domain.records import DEVICE_EVENTS, UNKNOWN_EVENT

ALARMS = Path(__file__).parents[3] / "services/meter-gateway/docs/alarms.md"


def test_whatever_a_profile_may_tell_is_described() -> None:
    assert {*DEVICE_EVENTS, UNKNOWN_EVENT} <= KINDS.keys()


def test_readers_find_every_kind_as_it_is() -> None:
    table = ALARMS.read_text()
    for kind, known in KINDS.items():
        lasts = "yes" if known.lasts else ""
        assert f"| `{kind}` | {known.severity} | {lasts} | {known.meaning} |" in table


def test_a_kind_nobody_described_is_a_warning() -> None:
    assert severity_of("ball_lightning") == "warning"
    assert severity_of("tamper") == "critical"
