"""One connection to Redis, shared by all callers of a process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, cast

import hiredis
import redis.asyncio as redis
from attrs import define, field, frozen
from redis.exceptions import NoScriptError, RedisError

from core.kernel.errors import Unavailable

Argument: TypeAlias = str | bytes | int
_pack: Final[Callable[[tuple[Argument, ...]], bytes]] = cast("Any", hiredis.pack_command)  # typed for one argument only
ANSWER: Final = 1.0
"""Seconds within which all the answers to what travelled together must come, connecting included."""
REST: Final = 1.0
"""Seconds for which nobody is asked after a failure."""
TOGETHER: Final = 256
"""Commands that travel together at most: what one slow answer may hold up."""


@frozen
class Script:
    """A Lua script, which the server runs as one step."""

    source: str
    sha: str = field(init=False)

    @sha.default
    def _sha(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


@define
class _Asked:
    """A command on its way, and whoever waits for the answer."""

    packed: bytes
    answer: asyncio.Future[Any]
    script: Script | None


@define(kw_only=True)
class Circuit:
    """Refuses at once while the other side is known not to answer.

    A failure opens it for `rest` seconds. Then one caller may try; if that fails too the next rest begins, if it is answered
    everybody may again.
    """

    rest: float = REST
    now: Callable[[], float] = time.monotonic
    _open_until: float | None = field(default=None, init=False)

    def may_try(self) -> bool:
        """Say whether to ask the other side now; after a rest only the first to ask may."""
        if self._open_until is None:
            return True
        if self.now() < self._open_until:
            return False
        self._open_until = self.now() + self.rest
        return True

    def failed(self) -> None:
        """Note that there was no answer."""
        self._open_until = self.now() + self.rest

    def answered(self) -> None:
        """Note that there was one."""
        self._open_until = None


@define
class RedisConnection:
    """Runs commands; those that are asked for at the same time travel as one pipeline, in the order they were asked.

    Nothing is connected before it is used, and everything must be used on one event loop. Whatever goes wrong, and whatever
    takes longer than `within` seconds, is `Unavailable`; nothing is tried twice.
    """

    _url: str = field(repr=False)
    _circuit: Circuit = field(factory=Circuit)
    _within: float = ANSWER
    _pool: Any = field(init=False, repr=False)
    _asked: deque[_Asked] = field(factory=deque, init=False, repr=False)
    _carrier: asyncio.Task[None] | None = field(default=None, init=False, repr=False)

    @_pool.default
    def _new_pool(self) -> Any:
        return redis.ConnectionPool.from_url(
            # No timeout for the connection and each read: there is one around all of them, which costs a tenth.
            self._url,
            retry=None,
            socket_connect_timeout=None,
            socket_timeout=None,
            max_connections=1,
        )

    async def ping(self) -> None:
        """Return if the server answers; raise `Unavailable`."""
        await self.run("PING")

    def run(self, *command: Argument, script: Script | None = None) -> asyncio.Future[Any]:
        """Run one command; the answer is bytes, integers and lists, or `Unavailable` is raised."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(_pack(command), answer, script))
        if self._carrier is None:
            self._carrier = asyncio.create_task(self._carry())
        return answer

    def run_script(self, script: Script, *, keys: Sequence[str], arguments: Sequence[Argument]) -> asyncio.Future[Any]:
        """Run a script on the keys, whether or not the server knows it already; otherwise as `run`."""
        return self.run("EVALSHA", script.sha, len(keys), *keys, *arguments, script=script)

    async def close(self) -> None:
        """Let what is on its way arrive, and disconnect."""
        if self._carrier is not None:
            await asyncio.wait({self._carrier})
        await self._pool.aclose()

    async def _carry(self) -> None:
        """Bring what was asked to the server, and the answers back, until nobody waits; new commands gather meanwhile."""
        batch: list[_Asked] = []
        try:
            while self._asked:
                batch = [self._asked.popleft() for _ in range(min(len(self._asked), TOGETHER))]
                await self._answer(batch)
        finally:
            self._carrier = None
            for asked in (*batch, *self._asked):  # nobody else would: the loop is being stopped
                asked.answer.cancel()
            self._asked.clear()

    async def _answer(self, batch: Sequence[_Asked]) -> None:
        if not self._circuit.may_try():
            _fail(batch, Unavailable("Redis did not answer a moment ago"))
            return
        try:
            async with asyncio.timeout(self._within):
                answers = await self._exchange([asked.packed for asked in batch])
                unknown = [position for position, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
                if unknown:  # it restarted, or this is its first time; what was refused did nothing
                    loads = {asked.script.source for asked in batch if asked.script is not None}
                    load = [_pack(("SCRIPT", "LOAD", source)) for source in loads]
                    repeated = await self._exchange([*load, *(batch[position].packed for position in unknown)])
                    for position, answer in zip(unknown, repeated[len(loads) :], strict=True):
                        answers[position] = answer
        except Exception as failure:  # the client has been seen to raise more than its own errors when a server goes
            self._circuit.failed()
            _fail(batch, _unavailable(failure))
            return
        self._circuit.answered()
        for asked, answer in zip(batch, answers, strict=True):
            if asked.answer.done():  # whoever asked does not wait any more
                continue
            if isinstance(answer, RedisError):
                asked.answer.set_exception(_unavailable(answer))
            else:
                asked.answer.set_result(answer)

    async def _exchange(self, commands: Sequence[bytes]) -> list[Any]:
        connection = await self._pool.get_connection()
        try:
            await connection.send_packed_command(b"".join(commands), check_health=False)
            answers = []
            for _ in commands:
                try:
                    answers.append(await connection.read_response(timeout=math.inf, disconnect_on_error=False))
                except redis.ResponseError as refusal:
                    answers.append(refusal)
        except BaseException:
            # What was not read must not be taken for the answer to another question.
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)
        return answers


def _unavailable(failure: Exception) -> Unavailable:
    unavailable = Unavailable(f"Redis does not answer: {failure}")
    unavailable.__cause__ = failure
    return unavailable


def _fail(batch: Sequence[_Asked], failure: Unavailable) -> None:
    for asked in batch:
        if not asked.answer.done():
            each = Unavailable(str(failure))  # a traceback belongs to one waiter
            each.__cause__ = failure.__cause__
            asked.answer.set_exception(each)
