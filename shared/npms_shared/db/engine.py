"""One database of one service: transactions, read-only connections, and word of every commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

IDLE_IN_TRANSACTION_MS = 15_000
"""A process frozen inside a transaction loses it, and with it its locks, after so long."""


def asyncpg_url(url: str) -> str:
    """The URL with SQLAlchemy's driver named."""
    scheme, separator, rest = url.partition("://")
    if scheme in {"postgres", "postgresql"}:
        scheme = "postgresql+asyncpg"
    return f"{scheme}{separator}{rest}"


class Database:
    """Connections of the application's role.

    `committed` is set after every transaction, so that the relay looks at once
    at what was put into the outbox.
    """

    def __init__(self, url: str, *, pool_size: int = 12, application: str = "npms") -> None:
        self.engine = create_async_engine(
            asyncpg_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_timeout=20,
            connect_args={
                "timeout": 10,
                "server_settings": {
                    "application_name": application,
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                    "jit": "off",
                },
            },
        )
        self.committed = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end of the block and rolls back on any exception."""
        async with self.engine.begin() as conn:
            yield conn
        self.committed.set()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading only; nothing done on it is committed."""
        async with self.engine.connect() as conn:
            yield conn

    async def ping(self) -> None:
        """Raises when the database cannot be asked."""
        async with self.connect() as conn:
            await conn.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


_PASSING_CODES = ("08", "53", "57", "40", "25", "55")
"""SQLSTATE classes of a lost connection, too few resources, an operator's stop, a serialization
failure, a lost transaction, a lock not had."""


def is_passing(fault: BaseException) -> bool:
    """Whether the same work may succeed later: the database was away, busy or restarted."""
    if isinstance(fault, OSError | TimeoutError | InterfaceError):
        return True
    if not isinstance(fault, DBAPIError):
        return False
    code = getattr(fault.orig, "sqlstate", None)
    if code is None:
        return fault.connection_invalidated or isinstance(fault, OperationalError)
    return str(code).startswith(_PASSING_CODES)
