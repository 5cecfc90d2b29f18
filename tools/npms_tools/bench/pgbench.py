"""`pgbench -N` on the same server in the same run: what the machine does without us."""

import asyncio
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

DATABASE = "npms_pgbench"
SCALE = 10
CLIENTS = 4


async def transactions_per_second(admin_url: str, *, binaries: Path, seconds: int) -> float:
    """Simple updates, four clients; the database is made and dropped."""
    await _admin(admin_url, f"DROP DATABASE IF EXISTS {DATABASE}", f"CREATE DATABASE {DATABASE}")
    try:
        await _pgbench(admin_url, binaries, "-i", "-q", "-s", str(SCALE))
        options = ["-N", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-n"]
        printed = await _pgbench(admin_url, binaries, *options)
    finally:
        await _admin(admin_url, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    found = re.search(r"tps = ([0-9.]+) \(without", printed)
    if found is None:
        raise RuntimeError(f"pgbench said: {printed}")
    return float(found[1])


async def _pgbench(admin_url: str, binaries: Path, *words: str) -> str:
    parts = urlsplit(admin_url)
    process = await asyncio.create_subprocess_exec(
        str(binaries / "pgbench"),
        *words,
        DATABASE,
        env={
            "PGHOST": parts.hostname or "127.0.0.1",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": parts.username or "",
            "PGPASSWORD": unquote(parts.password or ""),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"pgbench failed: {printed.decode()}")
    return printed.decode()


async def _admin(admin_url: str, *statements: str) -> None:
    conn = await asyncpg.connect(admin_url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()
