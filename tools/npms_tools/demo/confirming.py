"""The people of a household confirm their addresses, by the codes that arrive there."""

from typing import Any

from npms_tools.demo.clients import Clients
from npms_tools.demo.street_life import Household
from npms_tools.sinks.codes import code_in

ARRIVED = {"email": "/emails", "sms": "/sms"}


def confirm_contacts(api: Clients, home: Household) -> list[str]:
    """The codes that were entered; none where all was confirmed in an earlier run."""
    place = f"/v1/accounts/{home.account_id}/contacts"
    reached = api.wait_for(f"the contacts of {home.name}", lambda: _contacts(api, place))
    return [
        _confirm(api, f"{place}/{contact['channel']}", contact)
        for contact in reached
        if not contact["verified"]
    ]


def _contacts(api: Clients, place: str) -> list[dict[str, Any]] | None:
    answer = api.call("GET", "notifier", place)
    return None if answer.is_error else answer.json()["contacts"]


def _confirm(api: Clients, place: str, contact: dict[str, Any]) -> str:
    """The code; another one is asked for, since the last may be lost with an earlier run: it is
    refused where one was sent just now.
    """
    api.call("POST", "notifier", f"{place}/resend-code")
    tried: set[str] = set()

    def enter() -> str | None:
        code = _newest(api, contact)
        if code is None or code in tried:
            return None
        tried.add(code)
        answer = api.call("POST", "notifier", f"{place}/confirm", json={"code": code})
        return None if answer.is_error else code

    return api.wait_for(f"a code at {contact['address']}", enter, seconds=90)


def _newest(api: Clients, contact: dict[str, Any]) -> str | None:
    arrived = api.get("sinks", ARRIVED[contact["channel"]], to=contact["address"])
    codes = (code_in(message["text"]) for message in arrived)
    return next((code for code in codes if code), None)
