"""Events in, commands out."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.follow_installations import close_installation, open_installation
from npms_meter_gateway.handlers.switch_supply import accept_desired_supply
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened, SupplyDesired
from npms_shared.messaging.subscriptions import EventSubscription, Meta, Subscription

Heard = InstallationOpened | InstallationClosed | SupplyDesired


def subscriptions(context: Context) -> list[Subscription]:
    """One queue for all that the ledger says, so that it is heard in the order it was said."""

    async def handle(conn: AsyncConnection, event: Heard, _meta: Meta) -> None:
        match event:
            case InstallationOpened():
                await open_installation(conn, context, event)
            case InstallationClosed():
                await close_installation(conn, context, event)
            case SupplyDesired():
                await accept_desired_supply(conn, context, event)

    contracts = (InstallationOpened, InstallationClosed, SupplyDesired)
    return [EventSubscription("meter-gateway.supply", contracts, handle)]
