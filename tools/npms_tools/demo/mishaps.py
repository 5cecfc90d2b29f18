"""What goes wrong on a line of meters, and what is made of it: silence, a spike, a lost answer."""

from typing import Any

from npms_tools.demo.clients import Clients, NotObservedError
from npms_tools.demo.street_life import Household

SPIKE_WH = 9_113_000
"""Far beyond what a home's fuse lets through between two readings."""
REASON = "the display shows nothing of the kind"


class Mishaps:
    """Faults put on meters by the street's control interface, observed over the gateway's REST."""

    def __init__(self, api: Clients, victim: Household, neighbour: Household) -> None:
        self._api, self._victim, self._neighbour = api, victim, neighbour

    def lose_next_acknowledgement(self, home: Household) -> None:
        """The next command to a relay will work, and nobody will be told."""
        self._fault(home, kind="drop_ack", count=1)

    def found_by_reading_back(self, home: Household) -> str:
        """The command that was not acknowledged and is known to have worked nevertheless."""
        command = self._api.wait_for("the unanswered command", lambda: self._ghost(home))
        seen = command["after"][-1]
        return (
            f"{home.name}: {command['what']} {command['state']} was sent once and never "
            f"acknowledged ({command['answer']}); read back {seen['relay']}: {command['life']}"
        )

    def _ghost(self, home: Household) -> dict[str, Any] | None:
        """Its evidence counts, not its end: the next command may have superseded it already."""
        path = f"/v1/meters/{home.installation_id}/commands"
        for command in self._api.get("meter-gateway", path)["items"]:
            has_worked = any(seen["relay"] == command["state"] for seen in command["after"][-1:])
            if has_worked and command["answer"] not in {None, "acknowledged"}:
                return dict(command)
        return None

    def fall_silent(self) -> str:
        """One meter is dead: it is told once, its neighbours go on, and it too once it is back."""
        self._fault(self._victim, kind="silent")
        try:
            alarm = self._api.wait_for("the alarm of a dead meter", self._unreachable)
            before = self._last_read(self._neighbour)
            self._api.wait_for(
                "the neighbour read meanwhile", lambda: self._last_read(self._neighbour) > before
            )
        finally:
            self._heal()
        self._api.wait_for("the dead meter back", lambda: not self._unreachable())
        return (
            f"{self._victim.name}'s meter fell silent: alarm {alarm['kind']} ({alarm['detail']}); "
            f"{self._neighbour.name}'s behind the same gateway was read on; cleared when back"
        )

    def _unreachable(self) -> dict[str, Any] | None:
        query = {"installation_id": self._victim.installation_id, "kind": "unreachable"}
        items: list[dict[str, Any]] = self._api.get("meter-gateway", "/v1/alarms", **query)["items"]
        return items[0] if items else None

    def show_a_spike(self) -> str:
        """A register that cannot be is held, charged to nobody, and rejected by an operator."""
        known = {one["held_id"] for one in self._jumps()}
        self._fault(self._victim, kind="spike", count=1, by_wh=SPIKE_WH)
        held = self._api.wait_for(
            "the spike held", lambda: [one for one in self._jumps() if one["held_id"] not in known]
        )[0]
        path = f"/v1/held-readings/{held['held_id']}/reject"
        decided = self._api.post("meter-gateway", path, {"reason": REASON})
        read = self._api.get("meter-gateway", f"/v1/meters/{self._victim.installation_id}")
        last = read["last_reading"]["register"]
        if decided["state"] != "rejected" or float(last["value"]) * 1000 > int(held["register_wh"]):
            raise NotObservedError(f"the spike was not rejected: {decided}")
        return (
            f"{self._victim.name}'s meter showed {int(held['register_wh']) / 1000:,.0f} kWh once: "
            f"held as {held['reason']}, rejected by an operator; billed up to {last['value']} kWh"
        )

    def _jumps(self) -> list[dict[str, Any]]:
        query = {"installation_id": self._victim.installation_id, "reason": "jump"}
        page = self._api.get("meter-gateway", "/v1/held-readings", **query)
        items: list[dict[str, Any]] = page["items"]
        return items

    def _last_read(self, home: Household) -> str:
        meter = self._api.get("meter-gateway", f"/v1/meters/{home.installation_id}")
        return str(meter["last_reading"]["taken_at"])

    def _fault(self, home: Household, **fault: Any) -> None:
        self._api.post("street", f"/meters/{home.serial}/faults", fault)

    def _heal(self) -> None:
        self._api.call("DELETE", "street", f"/meters/{self._victim.serial}/faults")


def two_of_one_gateway(homes: list[Household], busy: set[str]) -> tuple[Household, Household]:
    """(victim, neighbour): behind one gateway address, and without a part in the story so far."""
    idle = [home for home in homes if home.serial not in busy]
    for victim in idle:
        for neighbour in homes:
            if neighbour.meter["port"] == victim.meter["port"] and neighbour is not victim:
                return victim, neighbour
    raise NotObservedError("no gateway has two meters")
