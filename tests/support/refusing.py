"""Sinks that refuse what they are sent."""

import httpx

from npms_tools.sinks.server import Sinks


async def refuse_next(sinks: Sinks, channel: str, *, status: int, times: int = 1) -> None:
    """The next messages on a channel are refused with a status of SMTP or HTTP."""
    async with httpx.AsyncClient(base_url=sinks.url) as client:
        body = {"channel": channel, "next": times, "status": status}
        assert (await client.post("/faults", json=body)).status_code == 204
