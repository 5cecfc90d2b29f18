"""Readings in, installations in."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.clock import Clock
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened
from npms_shared.contracts.meter_gateway import ReadingsBatch, RegisterFell
from npms_shared.messaging.subscriptions import (
    EventSubscription,
    Meta,
    PartitionSubscription,
    Subscription,
)
from npms_tariff.handlers.follow_installations import InstallationFollower
from npms_tariff.handlers.hold_billing import hold_fallen
from npms_tariff.handlers.rate_readings import ReadingRater


def subscriptions(
    clock: Clock, *, partitions: int, future_tolerance: timedelta = timedelta(minutes=10)
) -> list[Subscription]:
    rater = ReadingRater(clock, future_tolerance=future_tolerance)
    follower = InstallationFollower(clock, partitions=partitions)

    async def on_fall(conn: AsyncConnection, event: RegisterFell, _meta: Meta) -> None:
        await hold_fallen(conn, event, at=clock.now())

    async def handle(
        conn: AsyncConnection, event: InstallationOpened | InstallationClosed, _meta: Meta
    ) -> None:
        if isinstance(event, InstallationOpened):
            await follower.open_installation(conn, event)
        else:
            await follower.close_installation(conn, event)

    return [
        EventSubscription("tariff.accounts", (InstallationOpened, InstallationClosed), handle),
        EventSubscription("tariff.meters", (RegisterFell,), on_fall),
        PartitionSubscription(ReadingsBatch, rater.rate_readings, rater.forget),
    ]
