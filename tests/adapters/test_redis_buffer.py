"""Windows in a real Redis: as the rules have them, whole among processes, and quick to say when it is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import RedisError

from adapters.memory import MemoryBuffer
from adapters.redis import RedisBuffer, RedisConnection
from adapters.redis.connection import Circuit
from core.kernel.errors import Unavailable
from core.messaging import AggregationRules, Signal, Window
from core.messaging.ports import MessageBuffer
from tests.contracts.samples import MINE, NOW
from tests.lines import line_to

RULES: Final = AggregationRules()
PLAYER: Final = Path(__file__).parent / "window_player.py"


@contextlib.asynccontextmanager
async def connected(
    url: str, circuit: Circuit | None = None, *, within: float = 30.0
) -> AsyncIterator[RedisConnection]:
    """Give a connection that is closed at the end."""
    connection = RedisConnection(url, circuit or Circuit(), within=within)
    try:
        yield connection
    finally:
        await connection.close()


async def add(buffer: MessageBuffer, id_: str, thread: str = "thread") -> Window:
    return await buffer.add(
        tenant=MINE, thread=thread, message_id=id_, signal=Signal(kind="none", reason="timeout"), at=NOW
    )


# --- the arithmetic of the script against the rules ---------------------------------------------------------------------------

Step: TypeAlias = tuple[int, int, int, Signal]
signals: Final = st.sampled_from(
    [
        RULES.read(text)
        for text in ("Hola", "necesito", "necesito un técnico", "¿cuánto?", "urgente", "cuánto", "cuánto cuesta eso")
    ]
)
microseconds: Final = st.integers(-2_000_000, 9_000_000)
"""Most clocks go forward; two processes' clocks may differ."""
steps: Final = st.lists(
    st.tuples(microseconds, st.integers(-1, 2), st.integers(0, 14), signals), min_size=1, max_size=40
)
"""(time that passes, thread or -1 to take what is due, message, signal)."""
rules: Final = st.builds(
    AggregationRules,
    window=st.integers(0, 10_000_000).map(lambda each: timedelta(microseconds=each)),
    grace=st.integers(0, 3_000_000).map(lambda each: timedelta(microseconds=each)),
    limit=st.integers(1, 10),
)
beginnings: Final = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


async def told(buffer: MessageBuffer, beginning: datetime, script: Sequence[Step]) -> list[object]:
    """Return what a buffer answers to each step; those taken at once are in the order of their threads."""
    answers: list[object] = []
    at = beginning
    for gap, thread, message, signal in script:
        at += timedelta(microseconds=gap)
        if thread < 0:
            answers.append(sorted(await buffer.take_due(at=at, limit=100), key=lambda window: window.thread))
        else:
            answers.append(
                await buffer.add(
                    tenant=MINE, thread=f"thread_{thread}", message_id=f"msg_{message}", signal=signal, at=at
                )
            )
    return answers


@given(rules, beginnings, steps)
@settings(deadline=None, max_examples=150)
def test_the_script_answers_as_the_rules_do(
    redis_server: str, chosen: AggregationRules, beginning: datetime, script: list[Step]
) -> None:
    async def both() -> None:
        async with connected(redis_server) as connection:
            await connection.run("FLUSHDB")
            ours = await told(RedisBuffer(connection, chosen), beginning, script)
            assert ours == await told(MemoryBuffer(chosen), beginning, script)

    asyncio.run(both())


# --- several processes --------------------------------------------------------------------------------------------------------


async def test_among_processes_every_message_is_in_one_window_and_every_window_is_taken_once(redis_url: str) -> None:
    players = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(PLAYER), redis_url, name, "400", stdout=asyncio.subprocess.PIPE
        )
        for name in ("web_1", "web_2", "worker")
    ]
    printed = await asyncio.gather(*(player.communicate() for player in players))
    assert [player.returncode for player in players] == [0, 0, 0]
    windows = [json.loads(line) for out, _ in printed for line in out.decode().splitlines()]
    assert all(out for out, _ in printed), "each process took some"
    async with connected(redis_url) as connection:
        left = await RedisBuffer(connection, RULES).take_due(at=datetime.now(UTC) + timedelta(seconds=1), limit=100)
    messages = [id_ for window in (*windows, *(each.message_ids for each in left)) for id_ in window]
    assert sorted(messages) == sorted(f"{name}_{n}" for name in ("web_1", "web_2", "worker") for n in range(400))


# --- what is kept -------------------------------------------------------------------------------------------------------------


async def test_nothing_is_kept_for_ever(redis_url: str) -> None:
    async with connected(redis_url) as connection:
        await add(RedisBuffer(connection, RULES), "msg_1")
        keys = await connection.run("KEYS", "*")
        lives = [await connection.run("PTTL", key) for key in keys]
    assert len(lives) == 2
    assert all(0 < life <= 3_600_000 for life in lives)


async def test_a_window_that_expired_unseen_is_not_taken_and_leaves_no_trace(redis_url: str) -> None:
    async with connected(redis_url) as connection:
        buffer = RedisBuffer(connection, RULES)
        await add(buffer, "msg_1", "expired")
        await connection.run("DEL", *(key for key in await connection.run("KEYS", "*expired")))
        await add(buffer, "msg_2", "here")
        taken = await buffer.take_due(at=NOW + timedelta(seconds=8), limit=100)
        assert [window.thread for window in taken] == ["here"]
        assert await connection.run("KEYS", "*") == []


async def test_a_server_that_forgot_its_scripts_learns_them_again(redis_url: str) -> None:
    async with connected(redis_url) as connection:
        buffer = RedisBuffer(connection, RULES)
        await add(buffer, "msg_0")
        await connection.run("SCRIPT", "FLUSH")
        windows = await asyncio.gather(*(add(buffer, f"msg_{number}") for number in range(1, 5)))
    assert [len(window.message_ids) for window in windows] == [2, 3, 4, 5]


# --- what travels together ----------------------------------------------------------------------------------------------------


async def test_what_is_asked_at_the_same_time_is_answered_each_in_its_turn(redis_url: str) -> None:
    async with connected(redis_url) as connection:
        answers = await asyncio.gather(*(connection.run("INCR", "count") for _ in range(1000)))
    assert answers == list(range(1, 1001))


async def test_a_caller_who_leaves_takes_nobody_with_him(redis_url: str) -> None:
    async with connected(redis_url) as connection:
        callers = [connection.run("INCR", "count") for _ in range(10)]
        await asyncio.sleep(0)
        callers[3].cancel()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        assert isinstance(answers.pop(3), asyncio.CancelledError)
        assert answers == [1, 2, 3, 5, 6, 7, 8, 9, 10]


async def test_a_command_that_is_refused_is_unavailable_and_the_others_are_answered(redis_url: str) -> None:
    async with connected(redis_url) as connection:
        await connection.run("SET", "text", "no number")
        right = connection.run("INCR", "count")
        with pytest.raises(Unavailable) as caught:
            await connection.run("INCR", "text")
        assert isinstance(caught.value.__cause__, RedisError)
        assert await right == 1
        await connection.ping()


async def test_closing_lets_what_is_on_its_way_arrive(redis_url: str) -> None:
    connection = RedisConnection(redis_url, within=30.0)
    asked = connection.run("SET", "key", "value")
    await connection.close()
    assert await asked == b"OK"


# --- a server that goes and comes back ----------------------------------------------------------------------------------------


@define
class Stopwatch:
    """Seconds that pass when a test says so."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


async def test_a_server_that_is_away_is_unavailable_and_answers_again_when_it_is_back(redis_url: str) -> None:
    watch = Stopwatch()
    async with line_to(redis_url) as line, connected(line.url, Circuit(now=watch)) as connection:
        buffer = RedisBuffer(connection, RULES)
        await add(buffer, "msg_1")
        await line.cut()
        with pytest.raises(Unavailable) as caught:
            await add(buffer, "msg_2")
        assert isinstance(caught.value.__cause__, RedisError | OSError)
        await line.mend()
        watch.at += 1.0
        assert (await add(buffer, "msg_3")).message_ids == ("msg_1", "msg_3")


async def test_a_server_that_says_nothing_is_unavailable(redis_url: str) -> None:
    watch = Stopwatch()
    async with line_to(redis_url) as line, connected(line.url, Circuit(now=watch), within=2.0) as connection:
        await connection.ping()
        line.freeze()
        with pytest.raises(Unavailable):
            async with asyncio.timeout(20):
                await connection.ping()
        await line.mend()
        watch.at += 1.0
        assert await connection.run("ECHO", "ours, and no answer to the first question") == (
            b"ours, and no answer to the first question"
        )


async def test_after_a_failure_nobody_is_asked_for_a_while_and_then_one_tries_for_all(redis_url: str) -> None:
    watch = Stopwatch()
    async with line_to(redis_url) as line, connected(line.url, Circuit(now=watch)) as connection:
        await line.cut()
        with pytest.raises(Unavailable, match="does not answer"):
            await connection.ping()
        await line.mend()
        watch.at += 0.9
        with pytest.raises(Unavailable, match="a moment ago"):
            await connection.ping()
        watch.at += 0.2
        await asyncio.gather(*(connection.ping() for _ in range(10)))


def test_after_a_rest_only_the_first_may_try() -> None:
    watch = Stopwatch()
    circuit = Circuit(now=watch)
    circuit.failed()
    assert not circuit.may_try()
    watch.at += 1.0
    assert [circuit.may_try(), circuit.may_try()] == [True, False]
    circuit.answered()
    assert [circuit.may_try(), circuit.may_try()] == [True, True]
