"""Readings in, installations in."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened
from npms_shared.contracts.meter_gateway import ReadingsBatch, RegisterFell
from npms_shared.messaging.subscriptions import (
    EventSubscription,
    Meta,
    PartitionSubscription,
    Subscription,
)
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.follow_installations import close_installation, open_installation
from npms_tariff.handlers.hold_billing import hold_fallen
from npms_tariff.handlers.rate_readings import ReadingRater


def subscriptions(context: Context) -> list[Subscription]:
    rater = ReadingRater(context)

    async def hear_fall(conn: AsyncConnection, event: RegisterFell, _meta: Meta) -> None:
        await hold_fallen(conn, context, event)

    async def hear_installation(
        conn: AsyncConnection, event: InstallationOpened | InstallationClosed, _meta: Meta
    ) -> None:
        if isinstance(event, InstallationOpened):
            await open_installation(conn, context, event)
        else:
            await close_installation(conn, context, event)

    return [
        EventSubscription(
            "tariff.accounts", (InstallationOpened, InstallationClosed), hear_installation
        ),
        EventSubscription("tariff.meters", (RegisterFell,), hear_fall),
        PartitionSubscription(ReadingsBatch, rater.rate_readings, rater.forget),
    ]
