"""One call opens everything: customer, account, usage point, installation, policy, first decision.

What exists elsewhere (plan, profile) must have been told of; a meter serves one open installation.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.domain.position import Position
from npms_ledger.handlers import books, holdings, journals
from npms_ledger.handlers.admit_meter import admit_meter
from npms_ledger.handlers.admit_plan import admit_plan
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.debts import NewDebt, add_debt
from npms_ledger.handlers.errors import (
    CurrencyMismatch,
    CustomerUnknown,
    MeterTaken,
)
from npms_ledger.handlers.installation_errors import UsagePointOccupied, UsagePointUnknown
from npms_ledger.handlers.policies import put_in_force, read_policy
from npms_ledger.handlers.supply_changes import ask_for_reviews, desire_first
from npms_ledger.handlers.vend_limits import tell_limits
from npms_ledger.storage import installations, positions
from npms_shared.contracts.ledger import (
    AccountOpened,
    Contact,
    InstallationOpened,
    MeterConnection,
    SupplyDesired,
)
from npms_shared.messaging import outbox


@dataclass(frozen=True, slots=True)
class NewCustomer:
    name: str
    language: str
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """`customer` is new, or the id of one we know; `policy` a code, or a policy of its own.

    With `usage_point_id` it is that usage point, and label, commodity and power are what it has.
    """

    customer: NewCustomer | int
    time_zone: str
    currency: str
    label: str
    commodity: str
    max_power_w: int
    meter: MeterConnection
    opening_register_wh: int
    plan_code: str
    policy: str | CreditPolicy
    opening_debt_micro: int = 0
    opening_credit_micro: int = 0
    debts: tuple[NewDebt, ...] = ()
    protected: bool = False
    customer_class: str = ""
    usage_point_id: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    account: Account
    customer_id: int
    usage_point_id: int
    installation_id: int
    policy_code: str


@dataclass(slots=True)
class _Ids:
    customer: NewCustomer
    customer_id: int
    account_id: int
    policy_code: str
    usage_point_id: int = field(default=0)
    commodity: str = field(default="")
    max_power_w: int = field(default=0)
    installation_id: int = field(default=0)


async def open_account(
    conn: AsyncConnection, command: OpenAccount, *, now: datetime, by: str
) -> Opened:
    """Raises PlanUnknown, PlanUnfit, ProfileUnknown, PolicyUnknown, CustomerUnknown,
    CurrencyMismatch, MeterUnfit, MeterTaken, UsagePointUnknown, UsagePointOccupied.
    """
    command = await _checked(conn, command, now)
    ids = await _insert_account(conn, command, now=now, by=by)
    await _insert_installation(conn, ids, command, now)
    account = await _open_position(conn, ids, command, now=now, by=by)
    cause = Cause("person", subject=by)
    desired = await desire_first(conn, account, ids.installation_id, now=now, cause=cause)
    await ask_for_reviews(conn, [account], now)
    await _say_opened(conn, ids, command, account=account, desired=desired, now=now)
    await tell_limits(conn, [account], now)
    return Opened(
        account, ids.customer_id, ids.usage_point_id, ids.installation_id, ids.policy_code
    )


async def check_command(conn: AsyncConnection, command: OpenAccount, *, now: datetime) -> None:
    """Whether an account could be opened now; what it raises is what open_account would."""
    command = await _checked(conn, command, now)
    if isinstance(command.policy, str):
        await _check_policy(conn, command.policy, command.currency)
    await refuse_taken(conn, command.meter)


async def _checked(conn: AsyncConnection, command: OpenAccount, now: datetime) -> OpenAccount:
    """With its meter as it is kept."""
    await admit_plan(
        conn,
        command.plan_code,
        currency=command.currency,
        commodity=await _commodity(conn, command),
        now=now,
    )
    return replace(command, meter=await admit_meter(conn, command.meter))


async def _commodity(conn: AsyncConnection, command: OpenAccount) -> str:
    if command.usage_point_id is None:
        return command.commodity
    point = await installations.usage_point(conn, command.usage_point_id)
    if point is None:
        raise UsagePointUnknown(command.usage_point_id)
    return str(point.commodity)


async def _insert_account(
    conn: AsyncConnection, command: OpenAccount, *, now: datetime, by: str
) -> _Ids:
    customer, customer_id = await _customer(conn, command, now)
    account_id = await installations.next_account_id(conn)
    policy_code = await _policy_code(conn, command, account_id=account_id, now=now, by=by)
    await installations.insert_account(
        conn,
        account_id,
        customer_id=customer_id,
        currency=command.currency,
        time_zone=command.time_zone,
        policy_code=policy_code,
        customer_class=command.customer_class,
        now=now,
    )
    return _Ids(customer, customer_id, account_id, policy_code)


async def _customer(
    conn: AsyncConnection, command: OpenAccount, now: datetime
) -> tuple[NewCustomer, int]:
    if isinstance(command.customer, NewCustomer):
        customer = command.customer
        customer_id = await installations.insert_customer(
            conn,
            name=customer.name,
            language=customer.language,
            contacts=[contact.model_dump() for contact in customer.contacts],
            now=now,
        )
        return customer, customer_id
    row = await installations.customer(conn, command.customer)
    if row is None:
        raise CustomerUnknown(command.customer)
    contacts = tuple(Contact.model_validate(contact) for contact in row.contacts)
    return NewCustomer(row.name, row.language, contacts), row.customer_id


async def _policy_code(
    conn: AsyncConnection, command: OpenAccount, *, account_id: int, now: datetime, by: str
) -> str:
    if isinstance(command.policy, CreditPolicy):
        code = f"account-{account_id}"
        await put_in_force(
            conn, code, policy=command.policy, currency=command.currency, now=now, by=by
        )
        return code
    await _check_policy(conn, command.policy, command.currency)
    return command.policy


async def _check_policy(conn: AsyncConnection, code: str, currency: str) -> None:
    written = await read_policy(conn, code, hold=True)
    if written.currency != currency:
        raise CurrencyMismatch("credit policy", written.currency, currency)


async def _insert_installation(
    conn: AsyncConnection, ids: _Ids, command: OpenAccount, now: datetime
) -> None:
    meter = command.meter
    await refuse_taken(conn, meter)
    await _usage_point(conn, ids, command)
    try:
        ids.installation_id = await installations.insert_installation(
            conn,
            {
                "account_id": ids.account_id,
                "usage_point_id": ids.usage_point_id,
                **meter.model_dump(),
                "plan_code": command.plan_code,
                "opening_register_wh": command.opening_register_wh,
                "now": now,
            },
        )
    except IntegrityError:
        raise meter_taken(meter, serial=meter.serial) from None


async def _usage_point(conn: AsyncConnection, ids: _Ids, command: OpenAccount) -> None:
    """A new one, or one at which nobody is served any more."""
    point_id = command.usage_point_id
    if point_id is None:
        ids.commodity, ids.max_power_w = command.commodity, command.max_power_w
        ids.usage_point_id = await installations.insert_usage_point(
            conn, label=command.label, commodity=ids.commodity, max_power_w=ids.max_power_w
        )
        return
    found = await installations.usage_point(conn, point_id, lock=True)
    if found is None:
        raise UsagePointUnknown(point_id)
    if await installations.is_served(conn, point_id):
        raise UsagePointOccupied(point_id)
    ids.usage_point_id = point_id
    ids.commodity, ids.max_power_w = found.commodity, found.max_power_w


async def refuse_taken(conn: AsyncConnection, meter: MeterConnection) -> None:
    """Raises MeterTaken where the meter or its address serves an open installation."""
    taken = await installations.taken_meter(
        conn, serial=meter.serial, host=meter.host, port=meter.port, unit_id=meter.unit_id
    )
    if taken is not None:
        raise meter_taken(meter, serial=taken.serial)


def meter_taken(meter: MeterConnection, *, serial: str) -> MeterTaken:
    if serial == meter.serial:
        return MeterTaken("meter_already_installed", f"the meter {serial} is installed already")
    place = f"{meter.host}:{meter.port} unit {meter.unit_id}"
    return MeterTaken("meter_address_taken", f"{place} answers for the meter {serial}")


async def _open_position(
    conn: AsyncConnection, ids: _Ids, command: OpenAccount, *, now: datetime, by: str
) -> Account:
    """Debts and credit first, so that the first decision sees them."""
    written = await read_policy(conn, ids.policy_code)
    account = Account(
        account_id=ids.account_id,
        currency=command.currency,
        zone=ZoneInfo(command.time_zone),
        policy=written.policy,
        policy_code=written.code,
        policy_version=written.version,
        position=Position(protected=command.protected, opened_at=now),
    )
    account.open_with(
        debt_micro=command.opening_debt_micro, credit_micro=command.opening_credit_micro
    )
    for number, debt in enumerate(command.debts, start=1):
        await add_debt(conn, account, debt, number=number, now=now, by=by)
    account.judge(now)
    await positions.insert(conn, books.columns_of([account]))
    if account.written:
        journal = books.journal_of([account], kind="opening", now=now)
        await journals.write(conn, journal)
    await holdings.save(conn, [account], now)
    await positions.schedule(conn, {account.account_id: account.decide_at})
    return account


async def _say_opened(
    conn: AsyncConnection,
    ids: _Ids,
    command: OpenAccount,
    *,
    account: Account,
    desired: SupplyDesired,
    now: datetime,
) -> None:
    subject = str(ids.account_id)
    opened = AccountOpened(
        account_id=ids.account_id,
        customer_id=ids.customer_id,
        customer_name=ids.customer.name,
        currency=command.currency,
        time_zone=command.time_zone,
        language=ids.customer.language,
        contacts=list(ids.customer.contacts),
        opened_at=now,
    )
    await outbox.publish(conn, opened, subject=subject)
    await outbox.publish(conn, _installation_opened(ids, command, now), subject=subject)
    await outbox.publish(conn, desired, subject=subject)
    await books.tell(conn, [account], now)


def _installation_opened(ids: _Ids, command: OpenAccount, now: datetime) -> InstallationOpened:
    return InstallationOpened(
        installation_id=ids.installation_id,
        account_id=ids.account_id,
        customer_id=ids.customer_id,
        usage_point_id=ids.usage_point_id,
        commodity=ids.commodity,
        meter=command.meter,
        opening_register_wh=command.opening_register_wh,
        max_power_w=ids.max_power_w,
        plan_code=command.plan_code,
        currency=command.currency,
        time_zone=command.time_zone,
        opened_at=now,
        customer_class=command.customer_class,
    )
