"""One database of one service: transactions, read-only connections, and word of every commit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from sqlalchemy import event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from npms_shared.observability import metrics

T = TypeVar("T")

IDLE_IN_TRANSACTION_MS = 15_000
"""A process frozen inside a transaction loses it, and with it its locks, after so long."""
BACK_OFF_S = 0.5

log = structlog.get_logger()


def asyncpg_url(url: str) -> str:
    """The URL with SQLAlchemy's driver named."""
    scheme, separator, rest = url.partition("://")
    if scheme in {"postgres", "postgresql"}:
        scheme = "postgresql+asyncpg"
    return f"{scheme}{separator}{rest}"


class Database:
    """Connections of the application's role.

    `committed` is set after every transaction, so that the relay looks at once
    at what was put into the outbox. `misfit` is what work that is waited with lacks in the
    schema, None once work is done again: readiness says it.
    """

    def __init__(self, url: str, *, pool_size: int = 12, application: str = "npms") -> None:
        self.engine = create_async_engine(
            asyncpg_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_timeout=20,
            hide_parameters=True,
            connect_args={
                "timeout": 10,
                "server_settings": {
                    "application_name": application,
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                    "jit": "off",
                },
            },
        )
        event.listen(self.engine.sync_engine, "handle_error", _without_values)
        self.committed = asyncio.Event()
        self.misfit: str | None = None

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

    async def outlast(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work; while the database cannot, wait and do it again, so that order is kept."""
        while True:
            try:
                done = await work()
            except Exception as fault:
                if not is_passing(fault):
                    raise
                await self.back_off(fault)
            else:
                self.misfit = None
                return done

    async def back_off(self, fault: BaseException) -> None:
        """Tell of a passing fault, and let a moment go by."""
        lacks_schema = sqlstate(fault).startswith(MISFIT)
        self.misfit = f"{fault}".splitlines()[0] if lacks_schema else None
        metrics.DATABASE_WAITS.labels(reason="schema" if lacks_schema else "away").inc()
        log.warning("database_waited_for", fault=repr(fault))
        await asyncio.sleep(BACK_OFF_S)

    async def ping(self) -> None:
        """Raises when the database cannot be asked."""
        async with self.connect() as conn:
            await conn.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def _without_values(context: ExceptionContext) -> None:
    """Take the row that broke a rule out of the driver's words: it may be somebody's number."""
    fault: BaseException | None = context.original_exception
    while fault is not None:
        if getattr(fault, "detail", None):
            fault.detail = None  # type: ignore[attr-defined]
        fault = fault.__cause__


MISFIT = "42"
"""SQLSTATE class of a table, column or right that is not there: the schema is not ours yet."""
_PASSING_CODES = ("08", "53", "57", "40", "25", "55", MISFIT)
"""SQLSTATE classes of a lost connection, too few resources, an operator's stop, a serialization
failure, a lost transaction, a lock not had, a schema that does not fit."""


def is_passing(fault: BaseException) -> bool:
    """Whether the same work may succeed later: the database was away, busy, restarted, or is to be
    migrated.
    """
    if isinstance(fault, OSError | TimeoutError | InterfaceError | PoolExhausted):
        return True
    if not isinstance(fault, DBAPIError):
        return False
    code = sqlstate(fault)
    if not code:
        return fault.connection_invalidated or isinstance(fault, OperationalError)
    return code.startswith(_PASSING_CODES)


def sqlstate(fault: BaseException) -> str:
    """What PostgreSQL calls it, such as 42P01; empty where it did not come from there."""
    return str(getattr(getattr(fault, "orig", None), "sqlstate", None) or "")


def broken_constraint(fault: BaseException) -> str:
    """The constraint or unique index that a refused row breaks; empty where it is none."""
    cause = getattr(getattr(fault, "orig", None), "__cause__", None)
    return str(getattr(cause, "constraint_name", None) or "")
