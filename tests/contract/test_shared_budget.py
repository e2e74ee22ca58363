"""The token bucket that processes share, on a real Redis; and the guarded connection, on a real socket."""

from __future__ import annotations

import threading

import pytest
import redis
from pytest_httpserver import HTTPServer

from connector.budget import RedisBudget
from connector.clock import SystemClock
from connector.errors import Configuration, Retriable
from connector.http import Unsure, VendorHttp


@pytest.mark.needs_redis
def test_two_processes_share_one_bucket(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as one, redis.Redis.from_url(redis_url) as two:
        budgets = [RedisBudget(one), RedisBudget(two)]
        waits = [budgets[turn % 2].take("k", capacity=10, per_s=3600.0) for turn in range(12)]
    assert waits[:10] == [0.0] * 10
    assert 350 < waits[10] <= 360
    assert 350 < waits[11] <= 360  # asking takes nothing


@pytest.mark.needs_redis
def test_hold_reaches_the_others(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as one, redis.Redis.from_url(redis_url) as two:
        RedisBudget(one).hold("k", 60.0)
        RedisBudget(one).hold("k", 1.0)
        assert 59 < RedisBudget(two).take("k", capacity=10, per_s=1.0) <= 60
        assert RedisBudget(two).take("other", capacity=10, per_s=1.0) == 0.0
        assert 0 < one.pttl("leadswitch:budget:k") < 3_700_000


@pytest.mark.needs_redis
def test_bucket_refills_by_the_servers_clock(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        budget = RedisBudget(client)
        assert budget.take("k", capacity=2, per_s=0.2, tokens=2) == 0.0
        wait = budget.take("k", capacity=2, per_s=0.2)
        assert 0 < wait <= 0.1
        threading.Event().wait(wait)
        assert budget.take("k", capacity=2, per_s=0.2) == 0.0


def test_connects_to_the_address_that_was_checked(httpserver: HTTPServer) -> None:
    """The name is looked up once, and the answer is where the connection goes: a second, other answer is never used."""
    httpserver.expect_request("/x").respond_with_data("here")
    looked_up: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["169.254.169.254"]

    http = VendorHttp("Acme", f"http://crm.example:{httpserver.port}", SystemClock(), allow_private=True, look_up=look_up)
    try:
        assert http.send("GET", "/x", idempotent=True).text == "here"
        assert looked_up == ["crm.example"]
        assert httpserver.log[0][0].headers["host"] == f"crm.example:{httpserver.port}"
    finally:
        http.close()
    again = VendorHttp("Acme", f"http://crm.example:{httpserver.port}", SystemClock(), allow_private=True, look_up=look_up)
    try:
        with pytest.raises(Configuration):
            again.send("GET", "/x", idempotent=True)
    finally:
        again.close()


def test_inside_address_is_refused_at_the_socket(httpserver: HTTPServer) -> None:
    http = VendorHttp("Acme", httpserver.url_for(""), SystemClock())
    try:
        with pytest.raises(Configuration, match="inside this network"):
            http.send("GET", "/x", idempotent=True)
    finally:
        http.close()
    assert httpserver.log == []


class NoSleep(SystemClock):
    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds < 5


@pytest.mark.parametrize(("idempotent", "tries", "error"), [(True, 3, Retriable), (False, 1, Unsure)])
def test_a_cut_answer(free_port: object, idempotent: bool, tries: int, error: type[Exception]) -> None:
    """The other side takes the request and hangs up: tried again only where that cannot do anything twice."""
    import socket

    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(tries):
                caller, _ = server.accept()
                with caller:
                    asked.append(caller.recv(65_536))

        thread = threading.Thread(target=hang_up)
        thread.start()
        http = VendorHttp("Acme", f"http://127.0.0.1:{server.getsockname()[1]}", NoSleep(), allow_private=True)
        try:
            with pytest.raises(error) as caught:
                http.send("POST", "/x", idempotent=idempotent, json={"email": "grace@navy.example"})
        finally:
            http.close()
        thread.join(10)
    assert type(caught.value) is error
    assert len(asked) == tries
    assert "grace" not in str(caught.value)
