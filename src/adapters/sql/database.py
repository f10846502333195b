"""Connections: one transaction, or one statement by itself; either way only our own errors come out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from adapters.sql.errors import translated
from adapters.sql.row_security import NOBODY, ROLE, Scope
from core.kernel.errors import Unavailable

if TYPE_CHECKING:
    from adapters.sql.driver import TenantConnection

SINGLE: Final = "cuadrilla_single_statement"
"""The execution option of statements that run by themselves, where SQLite would begin a transaction."""


class Connection:
    """A connection inside a transaction."""

    def __init__(self, connection: AsyncConnection, *, sqlite: bool) -> None:
        self._connection = connection
        self.sqlite = sqlite
        self.failed = False

    async def run(self, statement: sa.Executable, values: Any = None) -> list[Any]:
        """Execute the statement and return the rows that it returns, if it returns any."""
        try:
            with translated():
                result = await self._connection.execute(statement, values)
                return list(result) if result.returns_rows else []
        except BaseException:
            self.failed = True
            raise

    async def first(self, statement: sa.Executable, values: Any = None) -> Any:
        """Execute the statement and return its first row, or None."""
        rows = await self.run(statement, values)
        return rows[0] if rows else None


class Database:
    """An engine for either database, set up as the rules of reliability want it.

    On PostgreSQL everybody acts as `ROLE`, and whatever runs finds and writes the rows of the `tenant` it is run for, no others.
    """

    def __init__(self, url: str, *, pool_size: int) -> None:
        made = sa.make_url(url)
        self.sqlite = made.get_backend_name() == "sqlite"
        json: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": msgspec.json.decode}
        self._turn: contextlib.AbstractAsyncContextManager[Any]
        self._idle: list[AsyncConnection] = []
        self._keep = max(1, pool_size // 2)  # of the pool's; the rest is for transactions
        if self.sqlite:
            self._engine = create_async_engine(made.set(drivername="sqlite+aiosqlite"), **json)
            event.listen(self._engine.sync_engine, "connect", prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", begin_immediate)
            self._single = self._engine.execution_options(**{SINGLE: True})
            self._turn = asyncio.Lock()  # SQLite has one writer; a fair queue here instead of its polling
        else:
            from adapters.sql.driver import TenantConnection  # noqa: PLC0415 - only where it is used

            self._engine = create_async_engine(
                made.set(drivername="postgresql+asyncpg"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=10.0,
                connect_args={
                    "timeout": 5.0,
                    "command_timeout": 30.0,
                    "connection_class": TenantConnection,
                    "server_settings": {"role": ROLE},
                },
                **json,
            )
            event.listen(self._engine.sync_engine, "reset", back_to_nobody)
            self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._turn = contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def transaction(self, *, tenant: Scope) -> AsyncIterator[Connection]:
        """Open a transaction for a tenant: leaving the block well commits, raising rolls back.

        A statement that failed ends the transaction even if the block goes on: PostgreSQL would not commit it either.
        """
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._turn)
            with translated():
                opened = await stack.enter_async_context(self._engine.connect())
                if not self.sqlite:
                    _driver(opened).begin_for(tenant)
            connection = Connection(opened, sqlite=self.sqlite)
            yield connection
            if connection.failed:
                msg = "a statement of this transaction failed, so nothing of it is stored"
                raise RuntimeError(msg)
            with translated():
                await opened.commit()

    async def rows(self, statement: sa.Executable, values: Any = None, *, tenant: Scope) -> list[Any]:
        """Execute a reading statement outside any transaction and return its rows."""
        try:
            return await self._alone(statement, values, tenant)
        except Unavailable:
            if not self._idle:
                raise
        await self._let_go()  # they may all have gone with the one that failed; a read may be asked again
        return await self._alone(statement, values, tenant)

    async def first(self, statement: sa.Executable, values: Any = None, *, tenant: Scope) -> Any:
        """Execute a reading statement outside any transaction and return its first row, or None."""
        rows = await self.rows(statement, values, tenant=tenant)
        return rows[0] if rows else None

    async def change(self, statement: sa.Executable, values: Any = None, *, tenant: Scope) -> list[Any]:
        """Execute one writing statement, which is stored when this returns, and return the rows that it returns."""
        async with self._turn:
            return await self._alone(statement, values, tenant)

    async def _alone(self, statement: sa.Executable, values: Any, tenant: Scope) -> list[Any]:
        """Run one statement by itself, on a connection kept for that: to take one from the pool costs as much as a statement."""
        with translated():
            connection = self._kept(tenant) or await self._single.connect()
            driver = None if self.sqlite else _driver(connection)
            try:
                if driver is not None:
                    await driver.stay_for(tenant)
                result = await connection.execute(statement, values)
                found = list(result) if result.returns_rows else []
            except BaseException:
                await asyncio.shield(
                    asyncio.create_task(_put_away(connection, driver))
                )  # even if we are cancelled again
                raise
            if len(self._idle) < self._keep:
                self._idle.append(connection)
            else:
                await connection.close()
            return found

    def _kept(self, tenant: Scope) -> AsyncConnection | None:
        """Take a kept connection, if there is one: the tenant's, or the one that has been idle for longest."""
        if self.sqlite or not self._idle:
            return self._idle.pop() if self._idle else None
        places = (place for place, each in enumerate(self._idle) if _driver(each).stays_for(tenant))
        return self._idle.pop(next(places, 0))

    async def listen(
        self, channel: str, *, heard: Callable[[], None], ended: Callable[[], None]
    ) -> Callable[[], Awaitable[None]]:
        """Call `heard` whenever somebody notifies PostgreSQL's channel, until the connection ends; return what ends it."""
        with translated():
            pooled = await self._engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()  # from now on it is not the pool's
            connection.add_termination_listener(lambda _: ended())
            await connection.add_listener(channel, lambda *_: heard())

        async def end() -> None:
            with contextlib.suppress(Unavailable), translated():
                await connection.close()

        return end

    async def close(self) -> None:
        """Close the connections."""
        await self._let_go()
        await self._engine.dispose()

    async def _let_go(self) -> None:
        while self._idle:
            connection = self._idle.pop()
            with contextlib.suppress(Unavailable), translated():
                await connection.invalidate()
                await connection.close()


def prepare_sqlite(connection: Any, _: Any) -> None:
    """Set a new SQLite connection up; transactions begin where we say so, not where the driver thinks."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout = 5000", "journal_mode = wal", "synchronous = full", "foreign_keys = on"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def begin_immediate(connection: sa.Connection) -> None:
    """Take SQLite's write lock at once: a transaction that read first could not get it later."""
    if not connection.get_execution_options().get(SINGLE):
        connection.exec_driver_sql("begin immediate")


def back_to_nobody(connection: Any, _: Any, state: sa.PoolResetState) -> None:
    """Let no connection carry a tenant into the pool; one that is dropped need not be asked."""
    driver = connection.driver_connection
    if state.asyncio_safe and not state.terminate_only and not driver.is_closed() and not driver.stays_for(NOBODY):
        connection.run_async(lambda driver: driver.stay_for(NOBODY))


async def _put_away(connection: AsyncConnection, driver: TenantConnection | None) -> None:
    """Give a connection back, even if we are cancelled meanwhile; one whose tenant is uncertain goes for good."""

    async def put_away() -> None:
        if driver is not None and driver.uncertain:
            await connection.invalidate()
        await connection.close()

    await asyncio.shield(asyncio.create_task(put_away()))


def _driver(connection: AsyncConnection) -> TenantConnection:
    """Return asyncpg's connection."""
    driver: TenantConnection = connection.sync_connection.connection.driver_connection  # type: ignore[union-attr, assignment]
    return driver


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
