"""Which meters an account is opened with: what the gateway would have to refuse is refused here."""

import re

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers.errors import MeterUnfit, ProfileUnknown
from npms_ledger.storage import catalogue
from npms_shared.addresses import canonical_host
from npms_shared.contracts.ledger import MeterConnection


async def admit_meter(conn: AsyncConnection, meter: MeterConnection) -> MeterConnection:
    """The connection with its address in its one spelling. Raises ProfileUnknown, MeterUnfit."""
    known = await catalogue.profile(conn, meter.profile)
    if known is None:
        raise ProfileUnknown(meter.profile)
    if known.serial_pattern and not re.fullmatch(known.serial_pattern, meter.serial):
        detail = f"no meter of the profile {meter.profile!r} is called {meter.serial!r}"
        raise MeterUnfit("bad_serial", "serial", detail)
    if not meter.port:
        return meter
    try:
        return meter.model_copy(update={"host": canonical_host(meter.host)})
    except ValueError as fault:
        raise MeterUnfit("bad_host", "host", str(fault)) from None
