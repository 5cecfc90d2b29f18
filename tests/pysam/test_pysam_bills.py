"""Bills of a year beside those of SAM's utilityrate5; `make test-pysam` prepares it.

SAM's year has 365 days, begins on a Monday and knows no change of clocks: 2029 in UTC is one.
"""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from tests.pysam import rates

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.rating import finish, rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff
from npms_tariff.importing import urdb

PYTHON = Path(os.environ.get("NPMS_PYSAM_PYTHON", ".run/pysam/bin/python"))
SCRIPT = Path(__file__).parents[2] / "tools" / "pysam" / "sam_bills.py"
BEGINS_S = int(datetime(2029, 1, 1, tzinfo=UTC).timestamp())
HOURS = 8760
MOST_APART_MICRO = 13
"""Every line here is rounded down to a micro-unit; a month has few."""

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make test-pysam installs PySAM")


def hourly_wh(seed: int, scale_w: int) -> list[int]:
    """A load that follows the day, the week and the year, with noise and quiet weeks."""
    random = Random(seed)
    load = []
    for hour in range(HOURS):
        day, of_day = divmod(hour, 24)
        evening = 2.5 if 17 <= of_day <= 22 else 1.0
        season = 1.6 if 150 <= day <= 240 else 1.0
        quiet = 0.1 if day // 7 in (6, 31) else 1.0
        load.append(int(scale_w * evening * season * quiet * random.uniform(0.3, 1.3)))
    return load


def sam_months(made: rates.Rate, load_wh: list[int]) -> list[float]:
    case = rates.for_sam(made, [wh / 1000 for wh in load_wh])
    ran = subprocess.run(
        [PYTHON, SCRIPT], input=json.dumps([case]), capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout)[0]["months"]


def own_months(made: rates.Rate, load_wh: list[int]) -> list[int]:
    """Micro-units of each month, of a meter read every hour."""
    prices = PlanDocument.model_validate(urdb.convert(made).document).prices()
    check(prices)
    calendar = Calendar((Tariff(1, 0, prices),), ZoneInfo("UTC"))
    state = RatingState(
        7, account_id=9, currency="USD", calendar=calendar, register_wh=0, read_at_s=BEGINS_S
    )
    rated, register_wh = Rated(), 0
    for hour, wh in enumerate(load_wh):
        register_wh += wh
        rate(state, BEGINS_S + (hour + 1) * 3600, register_wh, rated)
    finish(state, rated)
    return [micro for _, _, _, micro in rated.months]


@pytest.mark.parametrize(
    "made",
    [
        rates.TIME_OF_USE, rates.TIERED, rates.SEASONAL_TIERS, rates.TIERS_BY_DAY, rates.MINIMUM,
        rates.DEMAND, rates.TIERS_BY_HOUR,
    ],
    ids=lambda made: made["name"],
)  # fmt: skip
@pytest.mark.parametrize(("seed", "scale_w"), [(1, 350), (2, 900)])
def test_every_month_is_the_same_within_13_millionths(made: rates.Rate, seed: int, scale_w: int):
    load_wh = hourly_wh(seed, scale_w)
    theirs, ours = sam_months(made, load_wh), own_months(made, load_wh)
    assert len(ours) == len(theirs) == 12
    apart = [abs(own - sam * 1_000_000) for own, sam in zip(ours, theirs, strict=True)]
    print(f"{made['name']}: {max(apart):.2f} micro-units apart at most")
    assert max(apart) <= MOST_APART_MICRO, (ours, theirs)
