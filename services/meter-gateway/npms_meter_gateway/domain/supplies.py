"""Supplies and what is desired of them."""

from dataclasses import dataclass
from datetime import datetime

from npms_meter_gateway.domain.reconciling import Desired


@dataclass(frozen=True, slots=True)
class Supply:
    """One of an account's, and what is desired of it."""

    installation_id: int
    account_id: int
    desired: Desired


Reported = tuple[int | None, str | None, bool | None, int | None, str, str]
"""(revision, state, verified, limit_w, awaits, blocked_by)"""


@dataclass(frozen=True, slots=True)
class DueSupply:
    """A supply that is not as desired, with how often that was tried in vain.

    `place` is the site, or else the gateway, whose load returns together. `commanded`: a command
    for this revision was acknowledged; `has_open`: one has not ended; `has_alarm`: one of its relay
    is open; `renews`: it is in place, and to be opened anew before it closes by itself; `moved`:
    somebody else moved it. `suspicion`: why the meter that answers is not believed to be the one
    installed; `serial` is the number believed, None before any was told.
    """

    installation_id: int
    account_id: int
    desired: Desired
    decided_at: datetime
    attempts: int
    alarmed: bool
    reported: Reported
    profile: str
    place: str
    commanded: bool = False
    has_open: bool = False
    has_alarm: bool = False
    renews: bool = False
    moved: bool = False
    suspicion: str | None = None
    serial: str | None = None

    @property
    def plain(self) -> Supply:
        return Supply(self.installation_id, self.account_id, self.desired)

    @property
    def was_in_place(self) -> bool:
        """Whether this very revision was reported done before: then the relay has moved since."""
        done = (self.desired.revision, self.desired.state, True)
        return self.reported[:3] == done and not self.attempts
