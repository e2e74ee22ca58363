"""What happens around the lead: the market of its industry and country, its area, and what third parties tell of its company.

The values come dated, through the feed port of the connector; a feature sees none from after `as_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from leads.records import FieldValue, Signal
from scoring.features.feature import Feature, Group, Words
from scoring.features.timelines import Timelines, Values
from scoring.feeds import SCOPES, STALE_DAYS
from scoring.timeline import DAY_S

#: Names of series that features read; a feed may carry others, which are kept and not read.
MARKET, PRICES, DEVELOPMENT, THIRD_PARTY = "market_index", "area_prices", "area_development", "intent"
QUARTER_DAYS: Final = 91
YEAR_DAYS: Final = 365


def _each(read: Callable[[Sequence[Signal], float], FieldValue], without: FieldValue = None) -> Callable[[Timelines], Values]:
    """What `read` finds in the signals of each lead, given the moment; leads without signals have `without`."""
    return lambda lines: [read(signals, now) if signals else without for signals, now in zip(lines.signals, lines.now, strict=True)]


def _series(signals: Sequence[Signal], now: float, name: str) -> list[Signal]:
    """The values of the nearest scope that has any, oldest first, none stale."""
    found = [signal for signal in signals if signal.name == name and signal.at.timestamp() > now - STALE_DAYS * DAY_S]
    nearest = min((SCOPES.index(signal.scope) for signal in found if signal.scope in SCOPES), default=None)
    return [] if nearest is None else [signal for signal in found if signal.scope == SCOPES[nearest]]


def _change(name: str, days: int) -> Callable[[Timelines], Values]:
    """The newest value against the newest one that is at least `days` older, as a share; None without both."""

    def read(signals: Sequence[Signal], now: float) -> FieldValue:
        series = _series(signals, now, name)
        before = [signal.value for signal in series if signal.at.timestamp() <= series[-1].at.timestamp() - days * DAY_S]
        return round(series[-1].value / before[-1] - 1, 6) if before and before[-1] else None

    return _each(read)


def _newest(name: str) -> Callable[[Timelines], Values]:
    def read(signals: Sequence[Signal], now: float) -> FieldValue:
        series = _series(signals, now, name)
        return series[-1].value if series else None

    return _each(read)


def _told_of(signals: Sequence[Signal], now: float) -> FieldValue:
    return sum(signal.name == THIRD_PARTY and signal.at.timestamp() > now - 90 * DAY_S for signal in signals)


def _trend(rises: str, falls: str) -> Words:
    def words(value: FieldValue, up: bool) -> str | None:
        if value is None or abs(float(value)) < 0.005:
            return None
        return f"{rises if float(value) > 0 else falls} {abs(float(value)):.0%}"

    return words


def _signals_words(value: FieldValue, up: bool) -> str | None:
    times = int(float(value or 0))
    return f"other sources saw interest {times} {'time' if times == 1 else 'times'} in 90 days" if up and times else None


_MARKET = Group.TEMPORAL
_FEED = "signals of the feeds"

FEATURES: Final = (
    Feature(
        "market_context",
        _MARKET,
        "numeric",
        "Market context: change of the market index of the lead's industry or country in a quarter, as a share",
        f"{_FEED}: {MARKET}",
        "missing without an index of both ends of the quarter",
        _change(MARKET, QUARTER_DAYS),
        _trend("its market has grown by", "its market has shrunk by"),
        1,
    ),
    Feature(
        "area_price_trend",
        _MARKET,
        "numeric",
        "Area price trend: change of prices in the lead's area in a year, as a share",
        f"{_FEED}: {PRICES}",
        "missing without prices of both ends of the year",
        _change(PRICES, YEAR_DAYS),
        _trend("prices in the area have risen by", "prices in the area have fallen by"),
    ),
    Feature(
        "area_development",
        _MARKET,
        "numeric",
        "Area development: the newest development index of the lead's area",
        f"{_FEED}: {DEVELOPMENT}",
        "missing without an index of the area",
        _newest(DEVELOPMENT),
        lambda value, up: None if value is None else "the area is being developed" if up else "little is built in the area",
        1,
    ),
    Feature(
        "third_party_intent",
        _MARKET,
        "numeric",
        "Third-party signals: the newest intent that another source tells of the lead's company",
        f"{_FEED}: {THIRD_PARTY}",
        "missing when no source tells of the company",
        _newest(THIRD_PARTY),
        lambda value, up: "other sources see interest to buy" if up else None,
        1,
        "third party",
    ),
    Feature(
        "third_party_signals_90d",
        _MARKET,
        "numeric",
        "Third-party signals about the lead's company in 90 days",
        f"{_FEED}: {THIRD_PARTY}",
        "never missing: no signal is 0",
        _each(_told_of, 0),
        _signals_words,
        1,
        "third party",
    ),
)
