"""Intake through a real web server: the flush before each acknowledgement, a kill under load, and clients that misbehave."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.intake import Server, count_missing, make_requests, run_load
from connector.ports import Delivery
from connector.storage.db import Database
from connector.storage.intake import Arrival, InboxWriter, Stored, StoreDown
from connector.testing import NOON, TEST_KEYS
from connector.vault import Vault


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server("durable", tmp_path / "server")
    yield started
    started.stop()


def send_raw(port: int, request: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes and read until the server is done with this connection (or, for a whole request, with the answer)."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n\r\n" not in answer:
            some = connection.recv(65_536)
            if not some:
                break
            answer += some
        return answer


def rows(server: Server) -> int:
    with sqlite3.connect(server.database) as connection:
        return int(connection.execute("SELECT count(*) FROM inbox").fetchone()[0])


@pytest.mark.needs_strace
def test_each_acknowledgement_comes_after_a_flush_of_its_own_insert(
    server: Server, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    trace = tmp_path / "trace"
    calls = "trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"
    command = ["strace", "-f", "-y", "-s", "40", "-e", calls, "-p", str(server.pid), "-o", str(trace)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        assert b"attached" in tracer.stderr.readline()
        for _, request in make_requests(20, server.port):
            assert send_raw(server.port, request).startswith(b"HTTP/1.1 200")
        tracer.send_signal(signal.SIGINT)
    seen = [step for line in trace.read_text(errors="replace").splitlines() if (step := read_step(line))]
    story = "".join(seen)
    assert story.count("R") == story.count("A") == 20
    # request, then a write of the log, then its flush, then the acknowledgement: nothing acknowledged in between
    assert re.fullmatch(r"(?:[WF]*R[F]*W[WF]*F[F]*A)+[WF]*", story), story


def read_step(line: str) -> str | None:
    """One letter for a system call that matters: Request read, log Written, log Flushed, Acknowledged."""
    if re.search(r"(read|recvfrom)\(.*POST /webhooks", line) or re.search(
        r"<\.\.\. (read|recvfrom) resumed>.*POST /webhooks", line
    ):
        return "R"
    if re.search(r"(write|writev|sendto|sendmsg)\(.*HTTP/1\.1 200", line):
        return "A"
    if re.search(r"pwrite64\(\d+<[^>]*-wal>", line):
        return "W"
    if re.search(r"f(data)?sync\(\d+<[^>]*-wal>", line):
        return "F"
    return None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_under_load_loses_nothing_that_was_acknowledged(server: Server, how: signal.Signals) -> None:
    measured, keys = run_load(server, 3.0, end_after=1.5, how=how)
    assert set(measured.answers) <= {200}
    assert len(keys) > 100
    assert count_missing(server.database, keys) == 0


def test_a_truncated_request_is_not_stored_and_harms_nobody(server: Server) -> None:
    [(_, whole), (_, other)] = make_requests(2, server.port)
    assert send_raw(server.port, whole[:-20], half_close=True) in (b"", b"HTTP/1.1 400 Bad Request\r\n")
    assert send_raw(server.port, other).startswith(b"HTTP/1.1 200")
    assert rows(server) == 1


def test_ten_megabytes_are_refused_while_they_come(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/webhooks/crm"
    announced = httpx.post(url, content=b"x" * 10_000_000)
    assert (announced.status_code, announced.json()["type"]) == (413, "urn:leadswitch:problem:too-large")

    def chunks() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 10_000

    assert httpx.post(url, content=chunks()).status_code == 413
    assert rows(server) == 0


def test_what_is_no_http_at_all(server: Server) -> None:
    assert send_raw(server.port, b"\x16\x03\x01\x00 hello\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert httpx.get(f"http://127.0.0.1:{server.port}/healthz").status_code == 200


def test_ready_with_everything_there(server: Server) -> None:
    ready = httpx.get(f"http://127.0.0.1:{server.port}/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")


@pytest.mark.needs_postgres
def test_postgresql_commits_and_tells_repeats_apart(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.migrate()
    rung: list[Arrival] = []
    batches: list[int] = []
    delivery = Delivery("POST", "https://hooks.example.com/webhooks/crm", {}, b"[]", NOON)

    async def work() -> tuple[list[Stored], Stored, list[Stored | BaseException]]:
        writer = InboxWriter(database, Vault(TEST_KEYS), rung.extend, observe=lambda rows, _: batches.append(rows))
        writer.start()

        def store(key: str) -> Awaitable[Stored]:
            return writer.submit("crm", key, delivery, True, "trace")

        many = await asyncio.gather(*(store(f"k{number % 30}") for number in range(40)))
        again = await store("k3")
        mixed = await asyncio.gather(store("good"), store("with a NUL \x00"), return_exceptions=True)
        await writer.stop()
        return many, again, mixed

    many, again, mixed = asyncio.run(work())
    with database.connected():
        (count,) = database.raw.execute_sql("SELECT count(*) FROM inbox").fetchone()
    database.close()
    assert batches[0] == 40
    assert sum(one.duplicate for one in many) == 10
    assert again.duplicate
    assert [type(one) for one in mixed] == [Stored, StoreDown]
    assert count == len(rung) == 31
