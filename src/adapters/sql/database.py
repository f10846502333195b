"""Connections: one transaction, or one statement by itself; either way only our own errors come out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from adapters.sql.errors import translated
from core.kernel.errors import Unavailable

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
    """An engine for either database, set up as the rules of reliability want it."""

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
            self._engine = create_async_engine(
                made.set(drivername="postgresql+asyncpg"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=10.0,
                connect_args={"timeout": 5.0, "command_timeout": 30.0},
                **json,
            )
            self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._turn = contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction: leaving the block well commits, raising rolls back.

        A statement that failed ends the transaction even if the block goes on: PostgreSQL would not commit it either.
        """
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._turn)
            with translated():
                opened = await stack.enter_async_context(self._engine.connect())
            connection = Connection(opened, sqlite=self.sqlite)
            yield connection
            if connection.failed:
                msg = "a statement of this transaction failed, so nothing of it is stored"
                raise RuntimeError(msg)
            with translated():
                await opened.commit()

    async def rows(self, statement: sa.Executable, values: Any = None) -> list[Any]:
        """Execute a reading statement outside any transaction and return its rows."""
        try:
            return await self._alone(statement, values)
        except Unavailable:
            if not self._idle:
                raise
        await self._let_go()  # they may all have gone with the one that failed; a read may be asked again
        return await self._alone(statement, values)

    async def first(self, statement: sa.Executable, values: Any = None) -> Any:
        """Execute a reading statement outside any transaction and return its first row, or None."""
        rows = await self.rows(statement, values)
        return rows[0] if rows else None

    async def change(self, statement: sa.Executable, values: Any = None) -> list[Any]:
        """Execute one writing statement, which is stored when this returns, and return the rows that it returns."""
        async with self._turn:
            return await self._alone(statement, values)

    async def _alone(self, statement: sa.Executable, values: Any) -> list[Any]:
        """Run one statement by itself, on a connection kept for that: to take one from the pool costs as much as a statement."""
        with translated():
            connection = self._idle.pop() if self._idle else await self._single.connect()
            try:
                result = await connection.execute(statement, values)
                found = list(result) if result.returns_rows else []
            except BaseException:
                await connection.close()
                raise
            if len(self._idle) < self._keep:
                self._idle.append(connection)
            else:
                await connection.close()
            return found

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
            with contextlib.suppress(Unavailable), translated():
                await self._idle.pop().close()


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


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
