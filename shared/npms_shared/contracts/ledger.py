"""What the ledger says."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from npms_shared.contracts.base import Event


class LedgerEvent(Event):
    publisher: ClassVar[str] = "ledger"


class Contact(Event):
    """Where a person is told things: one channel, one address."""

    channel: Literal["email", "sms"]
    address: str


class MeterConnection(Event):
    """How a meter is reached: its profile, its gateway's address, its unit id behind it."""

    serial: str
    profile: str
    host: str
    port: int
    unit_id: int


class AccountOpened(LedgerEvent):
    name: ClassVar[str] = "account_opened.v1"

    account_id: int
    customer_id: int
    customer_name: str
    currency: str
    time_zone: str
    language: str
    contacts: list[Contact]
    opened_at: AwareDatetime


class AccountClosed(LedgerEvent):
    name: ClassVar[str] = "account_closed.v1"

    account_id: int
    closed_at: AwareDatetime


class InstallationOpened(LedgerEvent):
    """A meter serves a usage point of an account from its opening register on."""

    name: ClassVar[str] = "installation_opened.v1"

    installation_id: int
    account_id: int
    customer_id: int
    usage_point_id: int
    commodity: str
    meter: MeterConnection
    opening_register_wh: int
    max_power_w: int = Field(description="the most the service fuse lets through")
    plan_code: str
    currency: str
    time_zone: str
    opened_at: AwareDatetime
    customer_class: str = Field(default="", description="what discounts and free units go by")
    replaces_installation_id: int | None = Field(
        default=None, description="the installation whose meter this one took the place of"
    )


class InstallationClosed(LedgerEvent):
    name: ClassVar[str] = "installation_closed.v1"

    installation_id: int
    account_id: int
    closing_register_wh: int
    closed_at: AwareDatetime


class CreditPosted(LedgerEvent):
    """A top-up went through the waterfall; to debt, emergency credit and balance sum to the amount.

    `to_charges_micro` of the part to the balance was taken from it at once, by the charges that
    the first top-up of a month pays; `to_accumulated_micro` of it only raised the balance to its
    floor, paying for what was used below it.
    """

    name: ClassVar[str] = "credit_posted.v1"

    account_id: int
    payment_id: UUID
    source: str
    currency: str
    amount_micro: int
    to_debt_micro: int
    to_emergency_micro: int
    to_balance_micro: int
    balance_micro: int
    debt_micro: int
    emergency_used_micro: int
    posted_at: AwareDatetime
    to_charges_micro: int = 0
    to_accumulated_micro: int = 0


class VendLimitsSet(LedgerEvent):
    """How much may be bought at once for an account, and how full it may become; None is no limit.

    Told at the opening, when the policy changes, and from time to time while there is a most that
    the balance may be; `balance_micro` is what it was then.
    """

    name: ClassVar[str] = "vend_limits_set.v1"

    account_id: int
    currency: str
    minimum_micro: int | None
    maximum_micro: int | None
    max_balance_micro: int | None
    balance_micro: int
    set_at: AwareDatetime


class ThresholdCrossed(LedgerEvent):
    """The balance fell to a warning threshold, once per descent."""

    name: ClassVar[str] = "threshold_crossed.v1"

    account_id: int
    threshold_micro: int
    balance_micro: int
    amount_to_avoid_cut_micro: int
    currency: str
    crossed_at: AwareDatetime


class EmergencyCreditOffered(LedgerEvent):
    name: ClassVar[str] = "emergency_credit_offered.v1"

    account_id: int
    limit_micro: int
    balance_micro: int
    currency: str
    offered_at: AwareDatetime


class EmergencyCreditAccepted(LedgerEvent):
    name: ClassVar[str] = "emergency_credit_accepted.v1"

    account_id: int
    limit_micro: int
    balance_micro: int
    currency: str
    accepted_at: AwareDatetime


class CreditExhausted(LedgerEvent):
    """Nothing is left to draw on; `keeps_supply_until` is set in friendly hours.

    `amount_to_clear_micro` is exact now. While supply is kept, `estimated_amount_micro` is what
    will clear it at that time if use goes on as `estimate_basis` says.
    """

    name: ClassVar[str] = "credit_exhausted.v1"

    account_id: int
    balance_micro: int
    emergency_used_micro: int
    amount_to_clear_micro: int
    currency: str
    keeps_supply_until: AwareDatetime | None = None
    keeps_supply_reason: str | None = None
    exhausted_at: AwareDatetime
    estimated_amount_micro: int | None = None
    estimate_basis: str | None = None


class CreditRestored(LedgerEvent):
    name: ClassVar[str] = "credit_restored.v1"

    account_id: int
    balance_micro: int
    currency: str
    restored_at: AwareDatetime


class ProtectionExpired(LedgerEvent):
    """This customer's protection from being cut has ended; the amount would clear what is owed."""

    name: ClassVar[str] = "protection_expired.v1"

    account_id: int
    balance_micro: int
    amount_to_clear_micro: int
    currency: str
    expired_at: AwareDatetime


class ReconnectionWaits(LedgerEvent):
    """This supply is to come back and does not yet: its customer has to press the button of the
    meter (`customer`), or the meter cannot be reached (`link`).
    """

    name: ClassVar[str] = "reconnection_waits.v1"

    installation_id: int
    account_id: int
    revision: int
    awaits: Literal["customer", "link"]
    since: AwareDatetime


class MassCutHeld(LedgerEvent):
    """More supplies than the guardrail lets pass would be cut: a person must approve or reject.

    Told when the list is opened; `policy_code` is None where all accounts together were too many.
    """

    name: ClassVar[str] = "mass_cut_held.v1"

    mass_cut_id: UUID
    policy_code: str | None
    accounts: int = Field(description="held so far; more may join")
    ground: str = Field(description="which limit was exceeded, in words")
    opened_at: AwareDatetime


class SupplyDesired(LedgerEvent):
    """This supply should be so, as of this revision; a higher revision supersedes.

    `limit_w` is the most power it may draw while it is on; None is no limit.
    """

    name: ClassVar[str] = "supply_desired.v1"

    installation_id: int
    account_id: int
    state: Literal["on", "off"]
    revision: int
    reason: str
    decided_at: AwareDatetime
    limit_w: int | None = None


EVENTS = (
    AccountOpened,
    AccountClosed,
    InstallationOpened,
    InstallationClosed,
    CreditPosted,
    VendLimitsSet,
    ThresholdCrossed,
    EmergencyCreditOffered,
    EmergencyCreditAccepted,
    CreditExhausted,
    CreditRestored,
    ProtectionExpired,
    ReconnectionWaits,
    MassCutHeld,
    SupplyDesired,
)
