"""One line per address: two names of one address are one gateway, and only one of them is read."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.storage import gateways


async def claim_peer(conn: AsyncConnection, gateway: Gateway, ip: str) -> str | None:
    """Note where a gateway is about to be reached; the name of the other that is read there, in
    whichever process, where one is. Asked whenever a line is opened: names move.
    """
    other = await gateways.claim_peer(conn, gateway.gateway_id, ip=ip, port=gateway.port)
    if other is None:
        return None
    gateway_id, host, port = other
    return f"{host}:{port}, gateway {gateway_id}"
