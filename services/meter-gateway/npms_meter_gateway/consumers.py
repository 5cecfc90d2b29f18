"""Events in, commands out."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.allowed_addresses import ANYTHING, AllowedAddresses
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.handlers.follow_installations import InstallationFollower
from npms_meter_gateway.handlers.switch_supply import accept_desired_supply
from npms_shared.clock import Clock
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened, SupplyDesired
from npms_shared.messaging.subscriptions import EventSubscription, Meta, Subscription

Heard = InstallationOpened | InstallationClosed | SupplyDesired


def subscriptions(
    profiles: Mapping[str, Profile],
    clock: Clock,
    *,
    partitions: int,
    allowed: AllowedAddresses = ANYTHING,
) -> list[Subscription]:
    """One queue for all that the ledger says, so that it is heard in the order it was said."""

    follower = InstallationFollower(profiles, clock, partitions, allowed)

    async def handle(conn: AsyncConnection, event: Heard, _meta: Meta) -> None:
        match event:
            case InstallationOpened():
                await follower.open(conn, event)
            case InstallationClosed():
                await follower.close(conn, event)
            case SupplyDesired():
                await accept_desired_supply(conn, event, clock)

    contracts = (InstallationOpened, InstallationClosed, SupplyDesired)
    return [EventSubscription("meter-gateway.supply", contracts, handle)]
