"""The market around the made-up people: indices by industry, prices by city, and what a third party says of companies, by month."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from connector.sandbox.world import words

MONTHS = 36
MONTH = timedelta(days=30)

Row = tuple[str, str, str, str, str]


def draw_market(seed: int, now: datetime) -> Iterator[Row]:
    """(name, scope, key, at, value) of three years up to `now`, as the feed file holds them. Same seed, same market."""
    rng = Random(f"market-{seed}")
    for industry in words.INDUSTRIES:
        yield from _walk(rng, now, "market_index", "industry", industry, 0.01)
    for city in sorted({city for _, city, _, _ in words.PLACES}):
        yield from _walk(rng, now, "area_prices", "area", city, 0.005)
        yield from _walk(rng, now, "area_development", "area", city, 0.0)
    for head in words.COMPANY_HEAD:
        for tail in words.COMPANY_TAIL[::3]:
            if rng.random() < 0.5:
                at = now - timedelta(days=rng.uniform(1, 600))
                yield "intent", "domain", f"{head}-{tail}.example".lower(), at.isoformat(), f"{rng.random():.2f}"


def _walk(rng: Random, now: datetime, name: str, scope: str, key: str, drift: float) -> Iterator[Row]:
    value = 100.0
    for month in range(MONTHS, -1, -1):
        value *= 1 + drift + rng.gauss(0, 0.02)
        yield name, scope, key, (now - month * MONTH).isoformat(), f"{value:.2f}"


def write_market(path: Path, seed: int, now: datetime) -> None:
    """Write the feed file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "scope", "key", "at", "value"))
        table.writerows(draw_market(seed, now))
