"""Feeds: dated values about places, from outside. The port, and the feed that comes with the product: a CSV file that somebody else
keeps up to date.

Columns of the file: name, scope, key, at (ISO 8601 with a zone), value. See docs/configuration.md.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from connector.errors import Configuration
from connector.storage.signals import FeedValue
from scoring.feeds import SCOPES

if TYPE_CHECKING:
    from connector.bootstrap import House

log = structlog.get_logger(__name__)

COLUMNS = ("name", "scope", "key", "at", "value")


class SignalFeed(Protocol):
    """Where market and third-party values come from. Other people's feeds implement this."""

    def mark(self) -> str:
        """Something that differs when there may be something new; equal marks are not read again. Raises `Configuration`."""
        ...

    def values(self) -> Iterator[FeedValue]:
        """Every value, in any order; telling one again is harmless. Raises `Configuration` naming what cannot be read."""
        ...


class CsvFeed:
    """A file of values."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> str:
        try:
            stat = self._path.stat()
        except OSError as error:
            raise Configuration(f"The feed {self._path.name} cannot be read ({error.strerror}).", "Mend `feeds`.") from None
        return f"{stat.st_mtime_ns}:{stat.st_size}"

    def values(self) -> Iterator[FeedValue]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                    raise Configuration(
                        f"The feed {self._path.name} has no column {missing[0]}.", f"It wants {', '.join(COLUMNS)}."
                    )
                for line, row in enumerate(reader, start=2):
                    try:
                        yield _read(row)
                    except ValueError as error:
                        raise Configuration(f"The feed {self._path.name}, line {line}: {error}.", "Mend that line.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Configuration(f"The feed {self._path.name} cannot be read ({type(error).__name__}).", "Mend `feeds`.") from None


def _read(row: dict[str, str]) -> FeedValue:
    if row["scope"] not in SCOPES:
        raise ValueError(f"scope {row['scope']!r} is none of {', '.join(SCOPES)}")
    at, value = datetime.fromisoformat(row["at"].replace("Z", "+00:00")), float(row["value"])
    if at.tzinfo is None:
        raise ValueError("at has no time zone")
    if not math.isfinite(value):
        raise ValueError("value is no number")
    return FeedValue(row["name"].strip()[:64], row["scope"], row["key"].strip()[:120], at.astimezone(UTC), value)


class FeedReader:
    """Reads the configured feeds into the database, each when it has something new."""

    def __init__(self, house: House, open_feed: Callable[[Path], SignalFeed] = CsvFeed) -> None:
        self._house = house
        self._feeds = {name: open_feed(Path(feed.file)) for name, feed in house.settings.feeds.items()}
        self._marks: dict[str, str] = {}

    def turn(self) -> int:
        """One round; returns how many values were taken. A feed that cannot be read does not keep the others back."""
        taken = 0
        broken: Configuration | None = None
        for name, feed in self._feeds.items():
            try:
                mark = feed.mark()
                if mark == self._marks.get(name):
                    continue
                count = self._house.signals.take(name, list(feed.values()))
            except Configuration as error:
                log.error("feed not read", feed=name, error=str(error))
                broken = error
                continue
            self._marks[name] = mark
            taken += count
            log.info("feed read", feed=name, values=count)
        if broken is not None:
            raise broken
        return taken
