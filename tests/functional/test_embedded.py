"""The embedded Valkey: kept data, orphans, long paths."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from connector.embedded import LONGEST_SOCKET_PATH, EmbeddedValkey, answers, socket_path, url
from connector.pids import birth

Wait = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def valkey(home: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(home)
    yield server
    server.stop()


def test_it_listens_on_a_private_socket_only(valkey: EmbeddedValkey, home: Path) -> None:
    assert not answers(home)
    assert valkey.start() == "started"
    assert answers(home)
    assert stat.S_IMODE(socket_path(home).stat().st_mode) == 0o700
    with redis.Redis.from_url(valkey.url) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_what_was_written_survives_a_stop(valkey: EmbeddedValkey) -> None:
    valkey.start()
    with redis.Redis.from_url(valkey.url + "?db=1") as client:
        client.rpush("lead.new", *range(500))
    valkey.stop()
    assert not valkey.alive()
    valkey.start()
    with redis.Redis.from_url(valkey.url + "?db=1") as client:
        assert client.llen("lead.new") == 500


def test_a_server_that_outlived_its_supervisor_is_taken_over(valkey: EmbeddedValkey, home: Path, eventually: Wait) -> None:
    valkey.start()
    orphan = valkey.pid
    assert orphan is not None
    second = EmbeddedValkey(home)
    assert second.start() == "attached"
    assert second.pid == orphan
    assert second.alive()
    second.stop()
    eventually(lambda: not valkey.alive())


def test_a_hung_server_is_replaced(valkey: EmbeddedValkey, home: Path) -> None:
    valkey.start()
    hung = valkey.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    second = EmbeddedValkey(home)
    try:
        assert second.start() == "started"
        assert second.pid != hung
        assert birth(hung) == ""
    finally:
        second.stop()


def test_a_home_with_a_long_path_gets_a_private_short_socket(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 120)
    path = socket_path(home)
    assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
    assert url(home) == f"unix://{path}"
    assert socket_path(tmp_path / ("x" * 119)) != path
    server = EmbeddedValkey(home)
    try:
        server.start()
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert answers(home)
    finally:
        server.stop()
        path.parent.rmdir()
