"""Who lives in the street: the same people at every start, each at a meter of the simulator."""

from dataclasses import dataclass
from typing import Any

NAMES = (
    "Amina Otieno", "Brian Mwangi", "Consolata Njeri", "Daniel Kiprop", "Esther Wambui",
    "Farah Abdi", "Grace Achieng", "Hassan Omar", "Irene Mutua", "Juma Were", "Khadija Noor",
    "Lucas Barasa", "Mercy Chebet", "Naomi Wanjiku", "Omondi Ouko", "Purity Kendi",
    "Quentin Maina", "Rehema Ali", "Samuel Koech", "Teresia Muthoni", "Umi Salim",
    "Victor Odhiambo", "Wairimu Karanja", "Yusuf Hussein",
)  # fmt: skip
SWAHILI_SPEAKERS = {4, 5, 11, 17}
CURRENCY = "KES"
ZONE = "Africa/Nairobi"


@dataclass(slots=True)
class Household:
    """One account of the street; ids are known once it is open."""

    number: int
    name: str
    meter: dict[str, Any]
    account_id: int = 0
    installation_id: int = 0

    @property
    def serial(self) -> str:
        return str(self.meter["serial"])

    @property
    def email(self) -> str:
        return f"house{self.number:02d}@street.example"

    @property
    def phone(self) -> str:
        return f"+2547122000{self.number:02d}"

    @property
    def language(self) -> str:
        return "sw" if self.number in SWAHILI_SPEAKERS else "en"

    def opening(self, *, plan: str, policy: str, debt: str | None) -> dict[str, Any]:
        """The one call that opens everything."""
        body: dict[str, Any] = {
            "customer": {
                "name": self.name,
                "language": self.language,
                "contacts": [
                    {"channel": "email", "address": self.email},
                    {"channel": "sms", "address": self.phone},
                ],
            },
            "time_zone": ZONE,
            "currency": CURRENCY,
            "usage_point": {"label": f"Mtaa Street {self.number}", "max_power_w": 15_000},
            "meter": {
                name: self.meter[name] for name in ("serial", "profile", "host", "port", "unit_id")
            },
            "opening_register": {"value": f"{self.meter['register_wh'] / 1000:.3f}"},
            "plan_code": plan,
            "credit_policy": policy,
        }
        if debt is not None:
            body["opening_debt"] = {"amount": debt, "currency": CURRENCY}
        return body


def households(meters: list[dict[str, Any]]) -> list[Household]:
    """A household for each meter."""
    return [
        Household(number, NAMES[(number - 1) % len(NAMES)], meter)
        for number, meter in enumerate(sorted(meters, key=lambda m: str(m["serial"])), start=1)
    ]
