"""Which addresses may be called, and what an answer means for the caller."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure, guard_url, is_allowed, retry_after, sorted_error

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def answer(status: int, headers: dict[str, str] | None = None, body: str = "") -> httpx.Response:
    request = httpx.Request("POST", "https://api.example/crm/things?email=grace@navy.example")
    return httpx.Response(status, headers=headers, text=body, request=request)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_inside_addresses_are_refused(address: str) -> None:
    assert not is_allowed(address, allow_private=False)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e", "::ffff:93.184.215.14"])
def test_outside_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, allow_private=False)


@pytest.mark.parametrize(
    ("address", "allowed"), [("10.0.0.1", True), ("127.0.0.1", True), ("::1", True), ("169.254.169.254", False)]
)
def test_trust_does_not_open_the_metadata_address(address: str, allowed: bool) -> None:
    assert is_allowed(address, allow_private=True) is allowed


@pytest.mark.parametrize(
    "url",
    [
        "ftp://api.example/",
        "file:///etc/passwd",
        "gopher://api.example",
        "https://user:pass@api.example/",
        "https://user@api.example/",
        "https://",
        "api.example",
        "https://api.example:notaport/",
        "https://[::1/",
        "",
    ],
)
def test_bad_urls_are_refused_without_a_look_up(url: str) -> None:
    def look_up(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    with pytest.raises(Configuration) as caught:
        guard_url(url, False, look_up)
    assert "pass" not in str(caught.value).replace("passwd", "")


def test_one_inside_address_among_many_is_enough() -> None:
    with pytest.raises(Configuration, match="trust_private_host"):
        guard_url("https://api.example/", False, lambda host, port: ["93.184.215.14", "10.0.0.1"])
    assert guard_url("https://api.example/", False, lambda host, port: ["93.184.215.14"]) == "https://api.example/"
    assert guard_url("http://crm.local:8069/", True, lambda host, port: ["10.0.0.1"]) == "http://crm.local:8069/"


def test_unknown_host_is_retriable() -> None:
    def look_up(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(Retriable):
        guard_url("https://api.example/", False, look_up)
    with pytest.raises(Retriable):
        guard_url("https://api.example/", False, lambda host, port: [])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 13:01:30 +0100", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        ("99999999999999", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after(answer(429, {"retry-after": header}), NOW) == seconds


@pytest.mark.parametrize(
    ("status", "sort"),
    [
        (301, Configuration),
        (400, Fatal),
        (401, Configuration),
        (403, Configuration),
        (404, Skippable),
        (408, Retriable),
        (409, Fatal),
        (410, Skippable),
        (422, Fatal),
        (423, Retriable),
        (429, Retriable),
        (500, Retriable),
        (503, Retriable),
    ],
)
def test_errors_by_consequence(status: int, sort: type[Exception]) -> None:
    error = sorted_error(answer(status), "Acme", {}, NOW)
    assert type(error) is sort
    assert f"Acme answered {status} to POST /crm/things" in str(error)
    assert "grace" not in str(error)


def test_success_is_no_error() -> None:
    assert sorted_error(answer(200), "Acme", {}, NOW) is None
    assert sorted_error(answer(207), "Acme", {}, NOW) is None


def test_unanswered_creation_is_unsure() -> None:
    assert type(sorted_error(answer(502), "Acme", {}, NOW, idempotent=False)) is Unsure


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"category": "VALIDATION_ERROR", "message": "grace@navy.example"}', "(VALIDATION_ERROR)"),
        ('{"category": "grace@navy.example"}', "things."),
        ('{"category": {"a": 1}}', "things."),
        ('["VALIDATION_ERROR"]', "things."),
        ("<html>", "things."),
    ],
)
def test_only_a_plain_category_is_quoted(body: str, said: str) -> None:
    text = str(sorted_error(answer(400, body=body), "Acme", {}, NOW))
    assert said in text
    assert "grace" not in text


def test_mend_is_named() -> None:
    error = sorted_error(answer(403), "Acme", {403: "Add the scope things.read."}, NOW)
    assert isinstance(error, Configuration)
    assert error.mend == "Add the scope things.read."
