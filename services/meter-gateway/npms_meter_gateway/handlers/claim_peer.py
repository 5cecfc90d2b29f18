"""One line per address: two names of one address are one gateway, and only one of them is read."""

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.storage import gateways
from npms_shared.db.engine import Database


async def claim_peer(database: Database, gateway: Gateway, ip: str) -> str | None:
    """Note where a gateway is about to be reached; the name of the other that is read there, in
    whichever process, where one is. Asked whenever a line is opened: names move.
    """
    async with database.transaction() as conn:
        other = await gateways.claim_peer(conn, gateway.gateway_id, ip=ip, port=gateway.port)
    return None if other is None else f"{other.host}:{other.port}, gateway {other.gateway_id}"
