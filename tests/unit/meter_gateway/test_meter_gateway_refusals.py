from npms_meter_gateway.api.problems import ERRORS
from npms_meter_gateway.handlers.read_meter import LineDown


def test_a_read_does_not_tell_whether_an_address_refuses_or_closes() -> None:
    words = {ERRORS[LineDown](LineDown(why)).detail for why in ("refused", "closed", "timed out")}
    assert len(words) == 1
