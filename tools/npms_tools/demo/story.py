"""The story that the demonstration tells, step by step; a step that is not observed ends it."""

import secrets
from collections.abc import Callable
from decimal import Decimal
from itertools import takewhile
from typing import Any

from rich.console import Console

from npms_operations.why.words import of_cut
from npms_tools.demo import setting
from npms_tools.demo.clients import Clients, NotObservedError
from npms_tools.demo.confirming import confirm_contacts
from npms_tools.demo.dearer import CREDIT, Dearer
from npms_tools.demo.mishaps import Mishaps, two_of_one_gateway
from npms_tools.demo.payers import Payers
from npms_tools.demo.scene import Scene
from npms_tools.demo.street_life import Household, households

HOMES = 24
HERO_LOAD_W, EVENING_LOAD_W, QUIET_LOAD_W = 3600, 2400, 900
RECEIPT = "credit_posted"
STEPS = 15
"""Those of the story and the audit at its end."""


class Story:
    """What is known so far: who lives where, what was paid, what was seen."""

    def __init__(self, scene: Scene, console: Console) -> None:
        self.scene, self.console = scene, console
        self.api = Clients(scene)
        self.run = secrets.token_hex(4)
        self.homes: list[Household] = []
        self.observed: list[tuple[str, str]] = []
        self.payers = Payers(self.api, run=self.run)

    @property
    def hero(self) -> Household:
        """Runs out, borrows, is cut, pays, is back."""
        return self._switched(0)

    @property
    def online_payer(self) -> Household:
        return self._switched(1)

    @property
    def friend(self) -> Household:
        """Runs out in friendly hours."""
        return self._switched(2)

    def _switched(self, position: int) -> Household:
        return [home for home in self.homes if home.meter["has_relay"]][position]

    def play(self) -> None:
        """All steps in their order; raises StackError at the first that fails."""
        steps: tuple[tuple[str, Callable[[], str]], ...] = (
            ("Accounts opened", self.open_accounts),
            ("Contacts confirmed", self.confirm),
            ("Top-ups, supply on", self.top_up),
            ("A debit explained", self.explain_debit),
            ("Low balance warned once", self.warn),
            ("A dearer block, a dearer hour", lambda: self.dearer.observe()),
            ("Emergency credit", self.borrow),
            ("Exhausted: cut and kept on", self.cut),
            ("A ghost success found", self.find_ghost),
            ("Why was I cut?", self.explain_cut),
            ("Top-up through the waterfall", self.restore),
            ("Refused and ignored", self.refuse),
            ("A dead meter", lambda: self.mishaps.fall_silent()),
            ("A spike held and rejected", lambda: self.mishaps.show_a_spike()),
        )
        for number, (title, step) in enumerate(steps, start=1):
            with self.console.status(f"[{number}/{STEPS}] {title} …"):
                seen = step()
            self.observed.append((title, seen))
            self.console.print(f"[green]✓[/green] [{number}/{STEPS}] [bold]{title}[/bold]: {seen}")

    def open_accounts(self) -> str:
        self.homes = households(self.api.get("street", "/meters"))[:HOMES]
        for code, document in setting.plans().items():
            setting.ensure_plan(self.api, code, document)
        setting.put_policies(self.api, self.scene.timeline.local_now())
        profiles = {home.meter["profile"] for home in self.homes}
        known = setting.accounts_by_serial(self.api)
        fresh = 0
        for home in self.homes:
            if home.serial not in known:
                known[home.serial] = self._open(home)
                fresh += 1
            home.account_id, home.installation_id = known[home.serial]
        return (
            f"{fresh} opened in one call each, {len(self.homes) - fresh} kept from before; "
            f"{len(profiles)} register maps behind {len({h.meter['port'] for h in self.homes})} "
            "gateway addresses"
        )

    def _open(self, home: Household) -> tuple[int, int]:
        special = home.serial
        policy = "street-evening" if special == self.friend.serial else "street"
        debt = "400.00" if special == self.hero.serial else None
        body = home.opening(plan=setting.plan_of(home.number), policy=policy, debt=debt)
        path, key = "/v1/accounts", f"open-{home.serial}-{self.run}"
        answer = self.api.wait_for(
            f"an account for {home.name}", lambda: self._try_open(path, body, key)
        )
        return int(answer["account_id"]), int(answer["installation_id"])

    def _try_open(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any] | None:
        """Plans and profiles reach the ledger by message: until then they are unknown to it."""
        answer = self.api.call("POST", "ledger", path, json=body, key=key)
        if answer.status_code == 422 and answer.json()["code"] in {
            "unknown_plan",
            "unknown_profile",
        }:
            return None
        if answer.is_error:
            raise NotObservedError(f"opening was refused: {answer.text}")
        opened: dict[str, Any] = answer.json()
        return opened

    def confirm(self) -> str:
        homes = (self.hero, self.online_payer, self.friend)
        entered = [code for home in homes for code in confirm_contacts(self.api, home)]
        return (
            f"{len(entered)} codes of six digits entered as they came by e-mail and SMS; "
            "until then nothing else goes there"
        )

    def top_up(self) -> str:
        self._wait_known_to_payments()
        self.dearer = Dearer(self.api, self.homes)
        users = {home.serial for home in self.dearer.homes}
        story = {self.hero.serial, self.online_payer.serial, self.friend.serial}
        self.mishaps = Mishaps(self.api, *two_of_one_gateway(self.homes, users | story))
        for home in self.homes:
            if home.serial not in {self.hero.serial, self.online_payer.serial, self.friend.serial}:
                self.payers.pay_by_bank(home, CREDIT if home.serial in users else "700.00")
        self.payers.pay_by_bank(self.friend, self._missing(self.friend, 60))
        value, before = self._voucher_value(), self._last_receipt()
        self.payers.redeem(self.hero, value)
        outcome = self.payers.pay_online(self.online_payer, "500.00")
        self.api.wait_for(
            "supply on, of the voucher's and of the online payer",
            lambda: all(self._relay_is(home, "on") for home in (self.hero, self.online_payer)),
        )
        self.api.wait_for("the voucher's receipt", lambda: self._last_receipt() != before)
        return (
            f"voucher {value} for {self.hero.name}, 500.00 online for {self.online_payer.name} "
            f"(webhook: {outcome}); relays closed and read back"
        )

    def _voucher_value(self) -> str:
        """Enough for the hero to stand well above the warning, whatever an earlier run left."""
        account = self._account(self.hero)
        balance = Decimal(account["balance"]["amount"])
        borrowed = Decimal(account["emergency_credit"]["used"]["amount"])
        missing = (Decimal(90) - balance + borrowed) / (1 - setting.DEBT_SHARE)
        return f"{max(missing, Decimal(120)):.2f}"

    def _missing(self, home: Household, wanted: int) -> str:
        """What takes a home's balance so high, and a little at least."""
        balance = Decimal(self._account(home)["balance"]["amount"])
        return f"{max(wanted - balance, Decimal(20)):.2f}"

    def _last_receipt(self) -> str | None:
        """The hero's newest delivery that tells of a credit."""
        receipts = [d["delivery_id"] for d in self._deliveries() if d["template"] == RECEIPT]
        return receipts[0] if receipts else None

    def _deliveries(self) -> list[dict[str, Any]]:
        """What the hero was told, the newest first."""
        path = f"/v1/accounts/{self.hero.account_id}/deliveries"
        items: list[dict[str, Any]] = self.api.get("notifier", path)["items"]
        return items

    def _wait_known_to_payments(self) -> None:
        def known() -> bool:
            paths = (f"/v1/accounts/{home.account_id}/payments" for home in self.homes)
            return all(self.api.call("GET", "payments", path).is_success for path in paths)

        self.api.wait_for("payments knows every account", known)

    def _account(self, home: Household) -> dict[str, Any]:
        account: dict[str, Any] = self.api.get("ledger", f"/v1/accounts/{home.account_id}")
        return account

    def _relay_is(self, home: Household, state: str) -> bool:
        """The ledger heard it from a read-back, and the meter itself agrees."""
        meter = self.api.get("street", f"/meters/{home.serial}")
        supply = self._account(home)["supply"][0]
        reported = supply["reported"]
        return (
            meter["relay"] == state
            and reported is not None
            and reported["verified"]
            and reported["state"] == state == supply["desired"]["state"]
        )

    def explain_debit(self) -> str:
        self._load(self.hero, HERO_LOAD_W)
        self.dearer.begin()
        entry = self.api.wait_for("a debit on the statement", self._newest_debit)
        charge = entry["charge"]
        lines = ", ".join(
            f"{line['component']} {line['period']}/{line['block']} {line['amount']['amount']}"
            for line in charge["lines"]
        )
        return (
            f"registers {charge['register_from']['value']} → {charge['register_to']['value']} kWh, "
            f"plan {charge['plan_code']} version {charge['plan_version']}: {lines}; "
            f"tax {charge['tax']['amount']}; balance after {entry['after']['amount']}"
        )

    def _newest_debit(self) -> dict[str, Any] | None:
        page = self.api.get("ledger", f"/v1/accounts/{self.hero.account_id}/statement")
        debits = [e for e in page["items"] if e["charge"] and float(e["charge"]["energy"]["value"])]
        return debits[0] if debits else None

    def _load(self, home: Household, power_w: int | None) -> None:
        self.api.post("street", f"/meters/{home.serial}/load", {"power_w": power_w})

    def warn(self) -> str:
        email = self.api.wait_for("the low-balance e-mail", lambda: self._warnings()[0])
        sms = self.api.wait_for("the low-balance SMS", lambda: self._warnings()[1])
        self._load(self.hero, QUIET_LOAD_W)
        return f"1 e-mail “{email[0]['subject']}”, 1 SMS “{sms[0]['text']}”"

    def _warnings(self) -> tuple[list[Any], list[Any]]:
        """(e-mails, SMS) of the template low_balance at the hero's addresses, in this descent."""
        since = takewhile(lambda d: d["template"] != RECEIPT, self._deliveries())
        bodies = {delivery["body"] for delivery in since if delivery["template"] == "low_balance"}
        emails = self.api.get("sinks", "/emails", to=self.hero.email)
        sms = self.api.get("sinks", "/sms", to=self.hero.phone)
        return (
            [e for e in emails if any(_same(e["text"], body) for body in bodies)],
            [s for s in sms if s["text"] in bodies],
        )

    def borrow(self) -> str:
        self._load(self.friend, EVENING_LOAD_W)
        self.api.wait_for("an offer of emergency credit", lambda: self._emergency("selectable"))
        self.api.post("ledger", f"/v1/accounts/{self.hero.account_id}/emergency-credit")
        self.mishaps.lose_next_acknowledgement(self.hero)
        self._load(self.hero, HERO_LOAD_W)
        self.api.wait_for(
            "emergency credit in use",
            lambda: self._emergency("in_use") or self._emergency("exhausted"),
        )
        credit = self._account(self.hero)["emergency_credit"]
        return f"offered, accepted by a call, in use: {credit['used']['amount']} of " + str(
            credit["limit"]["amount"]
        )

    def _emergency(self, state: str) -> bool:
        return bool(self._account(self.hero)["emergency_credit"]["state"] == state)

    def cut(self) -> str:
        self.api.wait_for(f"{self.hero.name} cut", lambda: self._relay_is(self.hero, "off"))
        kept = self.api.wait_for(
            f"{self.friend.name} kept on in friendly hours", self._kept_on, seconds=90
        )
        self._load(self.friend, QUIET_LOAD_W)
        emails, sms = self._warnings()
        if (len(emails), len(sms)) != (1, 1):
            raise NotObservedError(f"warned {len(emails)} and {len(sms)} times in one descent")
        register = self.api.get("street", f"/meters/{self.hero.serial}")
        return (
            f"{self.hero.name}: relay open, read back, {register['power_w']} W; "
            f"{self.friend.name}: balance {kept['balance']['amount']}, stays on "
            f"({kept['supply_reason']})"
        )

    def _kept_on(self) -> dict[str, Any] | None:
        account = self._account(self.friend)
        held = account["supply_reason"] == "friendly_hours" and account["supply_desired"] == "on"
        relay = self.api.get("street", f"/meters/{self.friend.serial}")["relay"]
        return account if held and relay == "on" else None

    def find_ghost(self) -> str:
        return self.mishaps.found_by_reading_back(self.hero)

    def explain_cut(self) -> str:
        """What `npms why cut` prints, of the hero's cut."""
        why = self.api.get("ledger", f"/v1/accounts/{self.hero.account_id}/supply/why")
        return "; ".join(" ".join(line.split()) for line in takewhile(bool, of_cut(why)))

    def restore(self) -> str:
        before = self._account(self.hero)
        self._load(self.hero, QUIET_LOAD_W)
        self.payers.pay_online(self.hero, "200.00")
        credit = self.api.wait_for("the credit's receipt", self.payers.receipt)
        self.api.wait_for(f"{self.hero.name} back on", lambda: self._relay_is(self.hero, "on"))
        self.payers.pay_by_bank(self.friend, self._missing(self.friend, 80), "again")
        parts = [credit[name]["amount"] for name in ("to_debt", "to_emergency", "to_balance")]
        return (
            f"needed {before['amount_to_clear']['amount']}; 200.00 = debt {parts[0]} + emergency "
            f"{parts[1]} + balance {parts[2]}; relay closed, verified"
        )

    def refuse(self) -> str:
        before = len(self.payers.payments_of(self.hero))
        repeat = f"/checkouts/{self.payers.reference}/repeat"
        again = self.api.post("paysim", repeat, {})
        forged = self.api.post("paysim", repeat, {"webhook": "wrong_signature"})
        late = self.api.post("paysim", repeat, {"webhook": "late"})
        voucher = self.api.call(
            "POST",
            "payments",
            f"/v1/accounts/{self.friend.account_id}/vouchers",
            json={"pin": self.payers.used_pin},
            key=f"reuse-{self.run}",
        )
        stray = self.payers.bank_payment("999999999", "10.00", f"FT-{self.run}-stray")
        seen = {
            "duplicate webhook": again["deliveries"][0]["answer"].get("outcome"),
            "wrong signature": forged["deliveries"][0]["status"],
            "too old": late["deliveries"][0]["status"],
            "reused voucher": voucher.json().get("code"),
            "unknown account": stray.get("reason"),
        }
        wanted = ["duplicate", 401, 401, "voucher_refused", "account_unknown"]
        if list(seen.values()) != wanted or len(self.payers.payments_of(self.hero)) != before:
            raise NotObservedError(f"refusals differ: {seen}")
        return ", ".join(f"{what}: {answer}" for what, answer in seen.items())


def _same(text: str, body: str) -> bool:
    return " ".join(text.split()) == " ".join(body.split())
