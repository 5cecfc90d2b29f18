from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.pacing import Pace

STEPS = st.lists(st.tuples(st.floats(0, 3), st.sampled_from("abc"), st.booleans()), max_size=80)


@given(STEPS, st.sampled_from([6.0, 60.0, 600.0]), st.sampled_from([6.0, 90.0, 1200.0]))
def test_l10_never_more_than_the_burst_and_the_rate(
    steps: list[tuple[float, str, bool]], per_place: float, in_all: float
) -> None:
    pace, now = Pace(per_place, in_all), 0.0
    taken: dict[str, int] = {}
    for wait_s, place, closed_nothing in steps:
        now += wait_s
        if pace.take(place, now):
            if closed_nothing:
                pace.give_back(place)
            else:
                taken[place] = taken.get(place, 0) + 1
        for count in taken.values():
            assert count <= max(per_place / 12, 1) + per_place * now / 60 + 1e-6
        assert sum(taken.values()) <= max(in_all / 12, 1) + in_all * now / 60 + 1e-6


def test_what_is_full_frees_itself_with_time() -> None:
    pace = Pace(per_place=60, in_all=600)
    assert [pace.take("a", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert pace.full(0.0) == ["a"]
    assert pace.take("b", 0.0)
    assert pace.full(1.0) == []
    assert pace.take("a", 1.0)


def test_one_that_closed_nothing_does_not_count() -> None:
    pace = Pace(per_place=6, in_all=6)
    assert pace.take("a", 0.0)
    assert not pace.take("a", 0.0)
    pace.give_back("a")
    assert pace.take("a", 0.0)
    assert pace.is_full(0.0)
