"""Energy that gets dearer: by how much was used this month, and by the hour of its use."""

from typing import Any

from npms_tools.demo import setting
from npms_tools.demo.clients import Clients
from npms_tools.demo.street_life import Household

BLOCKS, HOURS = "household-blocks", "household-tou"
LOAD_W = 14_000
CREDIT = "4000.00"
"""Enough for whoever uses much, whatever an earlier run left."""

Line = dict[str, Any]


class Dearer:
    """One home that uses much under a plan with blocks, and one under a plan by time of use."""

    def __init__(self, api: Clients, homes: list[Household]) -> None:
        self._api = api
        self.by_blocks = _last_on(BLOCKS, homes)
        self.by_hours = _last_on(HOURS, homes)

    @property
    def homes(self) -> tuple[Household, Household]:
        return self.by_blocks, self.by_hours

    def begin(self) -> None:
        """Both switch on all they have."""
        for home in self.homes:
            self._api.post("street", f"/meters/{home.serial}/load", {"power_w": LOAD_W})

    def observe(self) -> str:
        """A step of the blocks and one of the hours, as the statements explain them."""
        blocks = self._api.wait_for(
            "a charge in the second block",
            lambda: self._two_prices(self.by_blocks, "block"),
            seconds=90,
        )
        hours = self._api.wait_for(
            "charges in two price periods",
            lambda: self._two_prices(self.by_hours, "period"),
            seconds=120,
        )
        for home in self.homes:
            self._api.post("street", f"/meters/{home.serial}/load", {"power_w": None})
        return f"{self.by_blocks.name}: {blocks}; {self.by_hours.name}: {hours}"

    def _two_prices(self, home: Household, what: str) -> str | None:
        """The newest charged lines of two different blocks or periods, the dearer one last."""
        page = self._api.get("ledger", f"/v1/accounts/{home.account_id}/statement")
        newest: dict[Any, Line] = {}
        for entry in page["items"]:
            for line in entry["charge"]["lines"] if entry["charge"] else ():
                if line["component"] == "energy" and float(line["amount"]["amount"]) > 0:
                    newest.setdefault(line[what], line)
        if len(newest) < 2:
            return None
        return " → ".join(_named(line) for line in sorted(newest.values(), key=_price))


def _last_on(plan: str, homes: list[Household]) -> Household:
    return [home for home in homes if setting.plan_of(home.number) == plan][-1]


def _price(line: Line) -> float:
    return float(line["amount"]["amount"]) / float(line["energy"]["value"])


def _named(line: Line) -> str:
    return f"{line['period']}, block {line['block']}, {_price(line):.2f} a kWh"
