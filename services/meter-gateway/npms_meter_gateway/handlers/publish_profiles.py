"""Tells at every start which device profiles this gateway can read."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.outgoing import profile_published
from npms_shared.messaging import outbox


async def publish_profiles(conn: AsyncConnection, context: Context) -> None:
    for profile in context.profiles.values():
        await outbox.publish(conn, profile_published(profile), subject=profile.code)
