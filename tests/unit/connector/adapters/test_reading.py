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
    read_batch,
    read_id,
    read_moment,
    read_number,
    read_text,
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
