"""The audit as a test uses it: over the databases and the virtual host of a world."""

from urllib.parse import urlsplit

from tests.support.world import World

from npms_operations.audit.places import Broker, Places
from npms_operations.audit.proof import Options, prove
from npms_operations.audit.report import table
from npms_operations.audit.rules import CHECKS


async def assert_audit_clean(world: World, *, parked_allowed: bool = False) -> None:
    """Every rule holds; what does not is shown."""
    databases = {name: made.url for name, made in world.services.databases.items()}
    management = world.stack.urls().management_url
    vhost = urlsplit(world.amqp_url).path[1:]
    broker = Broker(management.rstrip("/"), vhost) if management else None
    options = Options(drain_seconds=30, sample=0, stale_minutes=10)
    results = await prove(
        Places(databases, broker), options, checks=CHECKS, progress=lambda _line: None
    )
    broken = [result for result in results if not result.holds]
    if parked_allowed:
        broken = [result for result in broken if "parked" not in str(result).lower()]
    assert not broken, "\n".join(table(results))
