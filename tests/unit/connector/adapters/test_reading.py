"""Values of strangers made safe."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.reading import (
    TEXT_LIMIT,
    content_key,
    id_key,
    nest_form,
    read_batch,
    read_email,
    read_form,
    read_id,
    read_link,
    read_moment,
    read_multipart,
    read_number,
    read_text,
    read_time,
    read_value,
)


@pytest.mark.parametrize(
    ("value", "read"),
    [(None, None), ("", None), ("  ", None), (" a ", "a"), ("a\x00b", "ab"), ("\ud800", "?"), (0, "0"), ({"b": 1}, '{"b": 1}')],
)
def test_text(value: object, read: str | None) -> None:
    assert read_text(value) == read


def test_long_text_is_cut() -> None:
    assert read_text("x" * 10_000) == "x" * TEXT_LIMIT


@given(st.text())
def test_any_text_can_be_stored(text: str) -> None:
    read = read_text(text)
    assert read is None or ("\x00" not in read and read.encode().decode() == read)


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (3, 3), (2**70, str(2**70)), (1.5, 1.5), (math.inf, None), (math.nan, None), ([1, "a"], '[1, "a"]'), ("x", "x")],
)
def test_value(value: object, read: object) -> None:
    assert read_value(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1,200.50", 1200.5),
        ("1 000", 1000.0),
        (7, 7.0),
        ("many", None),
        (True, None),
        (None, None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_number(value: object, read: float | None) -> None:
    assert read_number(value) == read


def test_id() -> None:
    assert read_id(12) == read_id("12") == "12"
    for bad in (None, True, "", "  ", 1.5, [], "a\nb"):
        with pytest.raises(ValueError, match="no record id"):
            read_id(bad)


def test_moment() -> None:
    assert read_moment(1_795_000_000_000, per_second=1000) == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)
    assert read_moment("1795000000") == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)
    for bad in (None, True, "soon", 0, -1, 10**30, "nan", "inf", []):
        with pytest.raises(ValueError, match="no moment"):
            read_moment(bad)


def test_batch() -> None:
    assert read_batch(b'{"a": 1}') == [{"a": 1}]
    for bad in (b"3", b"nul", b"\xff", b"[NaN]", b"[" * 200_000):
        with pytest.raises(ValueError, match=r"not|nested|neither"):
            read_batch(bad)


def test_content_key() -> None:
    one = content_key("x", {"a": 1, "b": [1, 2], "n": 0}, frozenset({"n"}))
    assert one == content_key("x", {"b": [1, 2], "a": 1, "n": 5}, frozenset({"n"}))
    assert one != content_key("x", {"a": 1, "b": [2, 1]}, frozenset({"n"}))
    assert one != content_key("y", {"a": 1, "b": [1, 2]})
    assert len(one) < 64
    assert content_key("x", {"a": "\ud800"})


def test_form() -> None:
    assert read_form(b"a=1&b=%C3%A9+x&a=2&c=") == {"a": "2", "b": "é x", "c": ""}
    for bad in (b"", b"abc", b"\xff=1", b"&".join(b"a%d=1" % number for number in range(501))):
        with pytest.raises(ValueError, match=r"form|UTF-8"):
            read_form(bad)


def test_nested_form() -> None:
    fields = {"type": "x", "data[email]": "a@b.c", "data[merges][FNAME]": "Ada", "data": "lost", "odd[": "y"}
    assert nest_form(fields) == {"type": "x", "data": {"email": "a@b.c", "merges": {"FNAME": "Ada"}}, "odd": {"": "y"}}


@given(st.dictionaries(st.text("ab[]", max_size=8), st.text(max_size=3), max_size=6))
def test_any_names_nest(fields: dict[str, str]) -> None:
    assert isinstance(nest_form(fields), dict)


@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_multipart_is_read_or_refused(body: bytes, boundary: str) -> None:
    try:
        assert isinstance(read_multipart(body, f"multipart/form-data; boundary={boundary}"), dict)
    except ValueError as error:
        assert len(str(error)) < 40


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-18T11:06:40Z",
        "2026-11-18T12:06:40+01:00",
        "2026-11-18 11:06:40",
        1795000000,
        "1795000000",
        1795000000000,
        1795000000.0,
    ],
)
def test_time(said: object) -> None:
    assert read_time(said) == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)


@pytest.mark.parametrize("said", [None, "", "soon", "1969-12-31T00:00:00Z", True, [], -5, "0001-01-01T00:00:00+14:00", "9" * 30])
def test_no_time(said: object) -> None:
    with pytest.raises(ValueError, match="no moment"):
        read_time(said)


def test_email() -> None:
    assert read_email(" Ada <ada@example.com> ") == "ada@example.com"
    for bad in (None, "", "nobody", 7, "Ada <>"):
        with pytest.raises(ValueError, match="no e-mail"):
            read_email(bad)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://WWW.example.com/a/b?u=ada@example.com#x", "www.example.com/a/b"),
        ("https://example.com/u/ada%40example.com/x", "example.com/u/*/x"),
        ("mailto:ada@example.com", "mailto"),
        ("https://user:pass@example.com/a", "example.com/a"),
        ("https://[", None),
    ],
)
def test_link(url: str, kept: str | None) -> None:
    assert read_link(url) == kept


def test_id_key() -> None:
    assert id_key("x", 7, {}) == "x:7"
    assert id_key("x", None, {"a": 1}) == id_key("x", True, {"a": 1}) == content_key("x", {"a": 1})
    assert len(id_key("x", "y" * 500, {})) < 64
