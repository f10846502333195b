"""What every test may ask for: the event loop and real servers.

The servers are shared by all test processes of a run and started when the first test asks. Each process has a Redis
database of its own, each test a PostgreSQL database and a RabbitMQ vhost of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import redis
from hypothesis import HealthCheck, settings

from entrypoints.serving import free_port
from tests import servers

# The same examples in every run of the same code: a landing is not refused for a draw that it did not change, nor for a slow
# machine. The full checks (`CUADRILLA_FULL=1`) draw anew.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize="CUADRILLA_FULL" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")

_SAID: Final[dict[str, str]] = {}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests under asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def worker_number(worker_id: str) -> int:
    """Number the test processes of a run from 0."""
    return int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Give the folder that all test processes of a run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def postgres_server(shared_folder: Path) -> Iterator[str]:
    """Give the URL of a PostgreSQL server's maintenance database."""
    with servers.shared("postgres", shared_folder) as server:
        _say(server)
        yield server.url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Give the asyncpg URL of an empty database that nobody else has."""
    with servers.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server(shared_folder: Path, worker_number: int) -> Iterator[str]:
    """Give the URL of this test process's Redis database."""
    with servers.shared("redis", shared_folder) as server:
        _say(server)
        address, _, database = server.url.rpartition("/")
        yield f"{address}/{int(database or 0) + worker_number}"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """Give the URL of an empty Redis database that no other test process has."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(scope="session")
def rabbitmq_vhosts(shared_folder: Path, worker_number: int) -> Iterator[Iterator[str]]:
    """Give the URLs of RabbitMQ vhosts that no other test process uses; a server from the environment is taken as it is."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with servers.shared("rabbitmq", shared_folder) as server:
        _say(server)
        ours = [f"test{number}" for number in range(worker_number, servers.VHOSTS, processes)]
        yield itertools.cycle([server.url] if server.folder is None else [server.url + each for each in ours])


@pytest.fixture
def rabbitmq_url(rabbitmq_vhosts: Iterator[str]) -> str:
    """Give the URL of a RabbitMQ vhost in which no other test has left a message or a consumer."""
    return next(rabbitmq_vhosts)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """Give an address of the loopback at which nobody listens, and nobody else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: alone at the end they would keep every other process waiting."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/scenarios/"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers were used."""
    for line in _SAID.values():
        terminalreporter.write_line(line)


def _say(server: servers.Server) -> None:
    _SAID[server.name] = f"{server.name}: {server.source}, ready in {server.seconds:.1f} s"
