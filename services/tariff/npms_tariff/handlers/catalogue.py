"""All plan versions, ready for rating, kept up to date by counting them."""

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
    """`generation` changes whenever a version was added: states made before are of no use then."""

    def __init__(self) -> None:
        self.generation = -1
        self._tariffs: dict[int, Tariff] = {}
        self._plans: dict[str, tuple[Tariff, ...]] = {}
        self._classes: dict[tuple[int, str], Tariff] = {}
        self._calendars: dict[tuple[str, str, str], Calendar] = {}

    async def refresh(self, conn: AsyncConnection) -> None:
        """Learn of versions activated since; one count where there are none."""
        if await plans.count_versions(conn) == self.generation:
            return
        versions = await plans.all_versions(conn)
        self._tariffs = {version.plan_version_id: _tariff(version) for version in versions}
        self._plans = {
            code: tuple(self._tariffs[version.plan_version_id] for version in of_plan)
            for code, of_plan in groupby(versions, key=lambda version: version.plan_code)
        }
        self._classes, self._calendars = {}, {}
        self.generation = len(versions)

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
        return {one: self._of_class(t, customer_class) for one, t in self._tariffs.items()}

    def tariff(self, stored: StoredState) -> Tariff | None:
        """The version of the open scope; None before the first reading."""
        tariff = self._tariffs.get(stored.values["plan_version_id"])
        return None if tariff is None else self._of_class(tariff, stored.customer_class)

    def _of_class(self, tariff: Tariff, customer_class: str) -> Tariff:
        key = (tariff.version_id, customer_class)
        if key not in self._classes:
            self._classes[key] = tariff.for_class(customer_class)
        return self._classes[key]


def _tariff(version: PlanVersion) -> Tariff:
    prices = PlanDocument.model_validate(version.document).prices()
    return Tariff(version.plan_version_id, int(version.valid_from.timestamp()), prices)
