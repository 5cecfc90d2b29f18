"""All plan versions, ready for rating, kept up to date by counting them."""

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.records import PlanVersion
from npms_tariff.domain.tariff import Tariff
from npms_tariff.storage import plans
from npms_tariff.storage.states import StoredState


class OnPlan(Protocol):
    """Who is rated by a calendar."""

    @property
    def plan_code(self) -> str: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def customer_class(self) -> str: ...


class Catalogue:
    """All versions as of one moment: `generation` is how many there were. States made by an older
    one are of no use."""

    def __init__(self, versions: Sequence[PlanVersion]) -> None:
        self.generation = len(versions)
        self._tariffs = {version.plan_version_id: _tariff(version) for version in versions}
        self._plans = {
            code: tuple(self._tariffs[version.plan_version_id] for version in of_plan)
            for code, of_plan in groupby(versions, key=lambda version: version.plan_code)
        }
        self._classes: dict[tuple[int, str], Tariff] = {}
        self._calendars: dict[tuple[str, str, str], Calendar] = {}

    def calendar(self, stored: OnPlan) -> Calendar:
        """Shared by everyone of the class on the plan in the zone."""
        key = (stored.plan_code, stored.time_zone, stored.customer_class)
        if key not in self._calendars:
            versions = self._plans.get(stored.plan_code, ())
            mine = tuple(self._of_class(tariff, stored.customer_class) for tariff in versions)
            self._calendars[key] = Calendar(mine, ZoneInfo(stored.time_zone))
        return self._calendars[key]

    def versions_for(self, customer_class: str) -> dict[int, Tariff]:
        """All versions by id, as they are for a class."""
        return {
            version_id: self._of_class(tariff, customer_class)
            for version_id, tariff in self._tariffs.items()
        }

    def tariff(self, stored: StoredState) -> Tariff | None:
        """The version of the open scope; None before the first reading."""
        tariff = self._tariffs.get(stored.values["plan_version_id"])
        return None if tariff is None else self._of_class(tariff, stored.customer_class)

    def _of_class(self, tariff: Tariff, customer_class: str) -> Tariff:
        key = (tariff.version_id, customer_class)
        if key not in self._classes:
            self._classes[key] = tariff.for_class(customer_class)
        return self._classes[key]


class CatalogueCache:
    """The catalogue that was read last, for all use cases of the process."""

    def __init__(self) -> None:
        self._last = Catalogue([])

    async def current(self, conn: AsyncConnection) -> Catalogue:
        """With the versions activated since; one count where there are none.

        It never changes later: whoever has one in hand rates by it to the end.
        """
        if await plans.count_versions(conn) == self._last.generation:
            return self._last
        self._last = catalogue = Catalogue(await plans.all_versions(conn))
        return catalogue


def _tariff(version: PlanVersion) -> Tariff:
    prices = PlanDocument.model_validate(version.document).prices()
    return Tariff(version.plan_version_id, int(version.valid_from.timestamp()), prices)
