"""Feeds of dated values: read when they are new, refused by line, and none keeps another back."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import testing
from connector.bootstrap import House
from connector.errors import Configuration
from connector.feeds import FeedReader

HEADER = "name,scope,key,at,value\n"
GOOD = HEADER + "area_prices,area,Leeds,2026-02-01T00:00:00Z,210\nmarket_index,industry,Software,2026-02-01T00:00:00+00:00,101.5\n"


@pytest.fixture
def home(tmp_path: Path) -> House:
    files = {name: {"file": str(tmp_path / f"{name}.csv")} for name in ("good", "other")}
    return testing.house(tmp_path, feeds=files)


def test_a_feed_is_read_when_it_is_new_and_only_then(home: House, tmp_path: Path) -> None:
    for name in ("good", "other"):
        (tmp_path / f"{name}.csv").write_text(GOOD, encoding="utf-8")
    reader = FeedReader(home)
    assert reader.turn() == 4
    assert reader.turn() == 0
    (tmp_path / "good.csv").write_text(GOOD + "market_index,everywhere,,2026-03-01T00:00:00Z,1\n", encoding="utf-8")
    assert reader.turn() == 3
    assert home.db.run("SELECT COUNT(*) FROM feed_signal").fetchone() == (5,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("name,scope\n", "has no column key"),
        (HEADER + "a,planet,x,2026-02-01T00:00:00Z,1\n", "line 2: scope 'planet' is none of"),
        (HEADER + "a,area,x,2026-02-01T00:00:00,1\n", "line 2: at has no time zone"),
        (HEADER + "a,area,x,yesterday,1\n", "line 2: Invalid isoformat string"),
        (HEADER + "a,area,x,2026-02-01T00:00:00Z,nan\n", "line 2: value is no number"),
        (HEADER + "a,area,x,2026-02-01T00:00:00Z,much\n", "line 2: could not convert"),
    ],
)
def test_a_feed_that_cannot_be_read_is_named_and_the_others_go_on(
    home: House, tmp_path: Path, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "good.csv").write_text(content, encoding="utf-8")
    (tmp_path / "other.csv").write_text(GOOD, encoding="utf-8")
    with pytest.raises(Configuration, match=says):
        FeedReader(home).turn()
    assert home.db.run("SELECT feed, COUNT(*) FROM feed_signal GROUP BY feed").fetchall() == [("other", 2)]
