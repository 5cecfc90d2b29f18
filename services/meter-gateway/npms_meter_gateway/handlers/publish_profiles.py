"""Tells at every start which device profiles this gateway can read."""

from collections.abc import Iterable

from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.outgoing import profile_published
from npms_shared.db.engine import Database
from npms_shared.messaging import outbox


async def publish_profiles(database: Database, profiles: Iterable[Profile]) -> None:
    async with database.transaction() as conn:
        for profile in profiles:
            await outbox.publish(conn, profile_published(profile), subject=profile.code)
