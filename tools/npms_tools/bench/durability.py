"""A figure without durability is no figure: the bench refuses to run without it."""

import asyncpg

from npms_tools.stack.errors import StackError

REQUIRED = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


async def check(admin_url: str) -> dict[str, str]:
    """The server's settings; raises StackError when what is committed could be lost."""
    conn = await asyncpg.connect(admin_url)
    try:
        found = {name: str(await conn.fetchval(f"SHOW {name}")) for name in REQUIRED}
        version = str(await conn.fetchval("SHOW server_version"))
    finally:
        await conn.close()
    wrong = {name: value for name, value in found.items() if value != REQUIRED[name]}
    if wrong:
        raise StackError(
            f"PostgreSQL could lose what it committed: {wrong}",
            advice="measure on a server with these settings on",
        )
    return {"postgres": version, **found, "confirms": "every message, quorum queues, persistent"}
