"""What every test can ask for: outside programs and servers, and the guard that keeps unit tests off the network.

A test names what it needs with a marker (`needs_postgres` and so on, see pyproject.toml). On a machine without it the test is
skipped and listed at the end; with LEADSWITCH_TEST_REQUIRE=all it fails instead, so that CI cannot pass by having nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from connector.testing import NoChance

#: The same examples in every run, and no clock: what a slow machine takes long for is no failure.
settings.register_profile("leadswitch", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leadswitch")
ROOT = Path(__file__).resolve().parent.parent
REQUIRE_ALL = os.environ.get("LEADSWITCH_TEST_REQUIRE") == "all"
NODE_TOOLS = Path(os.environ.get("LEADSWITCH_NODE_TOOLS") or Path.home() / ".cache" / "leadswitch-node")
POSTGRES = os.environ.get("LEADSWITCH_TEST_POSTGRES", "postgresql://127.0.0.1:5432/postgres")
RABBITMQ = os.environ.get("LEADSWITCH_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672/")
SHARED = Path(os.environ.get("LEADSWITCH_TEST_SHARED") or ROOT.parent / "shared")


@dataclass(frozen=True)
class NodeTools:
    """Programs from npm that stand in for the other side."""

    node: Path
    prism: Path
    emulate: Path


def _postgres() -> str | None:
    try:
        import psycopg
    except ImportError:
        return "psycopg is not installed (extra `postgres`)"
    try:
        with psycopg.connect(POSTGRES, connect_timeout=3) as connection:
            row = connection.execute("select rolcreatedb or rolsuper from pg_roles where rolname = current_user").fetchone()
    except psycopg.OperationalError as error:
        return f"no PostgreSQL at LEADSWITCH_TEST_POSTGRES: {str(error).splitlines()[0]}"
    return None if row and row[0] else "the PostgreSQL user may not make databases"


def _rabbitmq() -> str | None:
    try:
        import pika
    except ImportError:
        return "pika is not installed (extra `rabbitmq`)"
    try:
        pika.BlockingConnection(pika.URLParameters(RABBITMQ)).close()
    except (pika.exceptions.AMQPError, OSError) as error:
        return f"no RabbitMQ at LEADSWITCH_TEST_RABBITMQ ({type(error).__name__})"
    return None


def _node() -> str | None:
    if not shutil.which("node"):
        return "node is not installed"
    tools = _node_tools()
    missing = [path.name for path in (tools.prism, tools.emulate) if not path.exists()]
    return f"{NODE_TOOLS} (LEADSWITCH_NODE_TOOLS) lacks {', '.join(missing)}" if missing else None


def _node_tools() -> NodeTools:
    modules = NODE_TOOLS / "node_modules"
    node = Path(shutil.which("node") or "node")
    return NodeTools(node, modules / ".bin" / "prism", modules / "emulate" / "dist" / "index.js")


def _chromium() -> str | None:
    found = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return None if found else "Chromium is not installed"


def _strace() -> str | None:
    if not shutil.which("strace"):
        return "strace is not installed"
    traced = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return None if traced.returncode == 0 else "this machine does not let strace trace"


NEEDS: dict[str, Callable[[], str | None]] = {
    "needs_postgres": _postgres,
    "needs_redis": lambda: None if shutil.which("redis-server") else "redis-server is not installed",
    "needs_rabbitmq": _rabbitmq,
    "needs_node": _node,
    "needs_chromium": _chromium,
    "needs_shared": lambda: None if (SHARED / "data").is_dir() else f"{SHARED} (LEADSWITCH_TEST_SHARED) is not there",
    "needs_strace": _strace,
}


@cache
def missing(need: str) -> str | None:
    """Why this machine cannot give `need`, or None when it can. Asked once a run."""
    return NEEDS[need]()


skipped: dict[str, list[str]] = defaultdict(list)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in NEEDS:
        if item.get_closest_marker(need) is None:
            continue
        reason = missing(need)
        if reason is None:
            continue
        if REQUIRE_ALL:
            pytest.fail(f"{need}: {reason}, and LEADSWITCH_TEST_REQUIRE=all", pytrace=False)
        skipped[f"{need}: {reason}"].append(item.nodeid)
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not skipped:
        return
    terminalreporter.section("left out on this machine")
    for reason, tests in sorted(skipped.items()):
        terminalreporter.write_line(f"{len(tests):4d}  {reason}")
        for test in tests:
            terminalreporter.write_line(f"        {test}")


class NetworkUsed(AssertionError):
    """A unit test opened a connection."""


@pytest.fixture(autouse=True)
def _no_network_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests may talk over AF_UNIX (event loops do) and nothing else; tests with a server live in contract/ or functional/."""
    if "unit" not in request.path.relative_to(ROOT / "tests").parts[:1]:
        return

    def guarded(name: str) -> Callable[..., Any]:
        real = getattr(socket.socket, name)

        def connect(self: socket.socket, address: object) -> Any:
            if self.family != socket.AF_UNIX:
                raise NetworkUsed(f"a unit test connected to {address!r}")
            return real(self, address)

        return connect

    def refuse(*parts: object, **_: object) -> NoReturn:
        raise NetworkUsed(f"a unit test looked up {parts[:1]!r}")

    monkeypatch.setattr(socket.socket, "connect", guarded("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded("connect_ex"))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in os.environ:
        if name.startswith("LEADSWITCH_") and not name.startswith(("LEADSWITCH_TEST_", "LEADSWITCH_NODE_TOOLS")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    """No house that a test opens in its own process gives a lead out by lot, unless the test gives it another chance."""
    monkeypatch.setattr("connector.bootstrap.new_chance", NoChance)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`eventually(condition, timeout=10)` waits until `condition()` is truthy and returns it; fails naming the condition."""

    def wait(condition: Callable[[], Any], timeout: float = 10.0, what: str = "") -> Any:
        deadline = time.monotonic() + timeout
        while True:
            answer = condition()
            if answer:
                return answer
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout:g} s: {what or condition}", pytrace=False)
            time.sleep(0.02)

    return wait


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives a TCP port on 127.0.0.1 that nobody uses now, another one at each call."""

    def port() -> int:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            return int(server.getsockname()[1])

    return port


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with data and vendor contracts (marker `needs_shared`)."""
    return SHARED


@pytest.fixture(scope="session")
def node_tools() -> NodeTools:
    """Prism and emulate (marker `needs_node`)."""
    return _node_tools()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is (marker `needs_chromium`), for Playwright's `executable_path`."""
    return next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A database of this test's own, dropped afterwards (marker `needs_postgres`)."""
    import psycopg
    from psycopg import sql

    name = f"leadswitch_test_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    base, _, query = POSTGRES.partition("?")
    yield base.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("redis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        url = f"redis://127.0.0.1:{port}/0"
        import redis

        with redis.Redis.from_url(url) as client:
            for _ in range(200):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
        yield url
        server.terminate()


@pytest.fixture
def redis_url(_redis_server: str) -> str:
    """An emptied Redis server of this run's own (marker `needs_redis`)."""
    import redis

    with redis.Redis.from_url(_redis_server) as client:
        client.flushall()
    return _redis_server


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """A RabbitMQ virtual host of this run's own where rabbitmqctl may make one, else the configured one (`needs_rabbitmq`)."""
    name = f"leadswitch-test-{secrets.token_hex(6)}"
    control = shutil.which("rabbitmqctl")
    user = RABBITMQ.partition("://")[2].partition(":")[0]
    if not control or subprocess.run([control, "-q", "add_vhost", name], capture_output=True, check=False).returncode != 0:
        yield RABBITMQ
        return
    subprocess.run([control, "-q", "set_permissions", "-p", name, user, ".*", ".*", ".*"], capture_output=True, check=True)
    yield RABBITMQ.rpartition("/")[0] + f"/{name}"
    subprocess.run([control, "-q", "delete_vhost", name], capture_output=True, check=False)
