"""Acts that no person does at such a rate: kept in the history, and counted nowhere.

Two rules look at one lead's acts, oldest first. *At once*: more of a kind within a minute than a person manages. *Out of line*:
a day on which a kind is counted far more often than on this person's own earlier days, beyond the outer fence of J. W. Tukey,
*Exploratory Data Analysis* (1977), Q3 + 3 (Q3 - Q1); what is beyond it is set aside and the rest of the day counts. Somebody with
few days so far is held to one fence for all.

A verdict rests on the act's own minute and day and on what came before, never on a later day, so that a look back at any moment
finds what was known then. Where nothing is amiss, which two differences tell, it costs no pass of its own.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement

#: The most that a person does within a minute. Our own figures: a page every other second, a file or a form each ten.
MOST_AT_ONCE: Final[Mapping[Kind, int]] = {
    Kind.PAGE_VIEWED: 30,
    Kind.LISTING_VIEWED: 30,
    Kind.SEARCHED: 30,
    Kind.PRODUCT_USED: 60,
    Kind.CONTENT_DOWNLOADED: 6,
    Kind.VIDEO_WATCHED: 6,
    Kind.FORM_SUBMITTED: 6,
}
AT_ONCE_S: Final = 60.0
#: Kinds whose daily number is held against the days before. Words and meetings are few, and each is a person's own.
COUNTED: Final = frozenset(MOST_AT_ONCE) - {Kind.FORM_SUBMITTED} | {Kind.EMAIL_OPENED, Kind.EMAIL_CLICKED}
DAY_S: Final = 86_400.0
#: Days with acts of a kind from which on a person is held to their own quartiles.
ENOUGH_DAYS: Final = 7
#: No fence is lower: quiet days must not make a lively one suspicious. And the fence for whoever has no days to go by.
LEAST_FENCE: Final = 25
COMMON_FENCE: Final = 200
#: Tukey's multiple of the spread for what is "far out".
FAR_OUT: Final = 3.0

_FEWEST: Final = min(MOST_AT_ONCE.values())
_WORDS: Final[Mapping[Kind, str]] = {
    Kind.PAGE_VIEWED: "page views",
    Kind.LISTING_VIEWED: "listing views",
    Kind.SEARCHED: "searches",
    Kind.PRODUCT_USED: "uses of the product",
    Kind.CONTENT_DOWNLOADED: "downloads",
    Kind.VIDEO_WATCHED: "videos",
    Kind.FORM_SUBMITTED: "forms",
    Kind.EMAIL_OPENED: "opens",
    Kind.EMAIL_CLICKED: "clicks",
}


@dataclass(frozen=True, slots=True)
class Aside:
    """Acts that count nothing: their places among those looked at, oldest first, and why in a few words."""

    places: tuple[int, ...]
    why: str


def set_aside(acts: Sequence[Engagement], at: Sequence[float]) -> list[Aside]:
    """What of a lead's acts, oldest first, no person did; `at` are their moments in seconds since 1970. Those of machines are not
    looked at: they count nothing already."""
    if len(at) <= _FEWEST or (_closest(at, _FEWEST) >= AT_ONCE_S and _closest(at, LEAST_FENCE) >= DAY_S):
        return []
    by_kind: dict[Kind, list[int]] = {}
    for place, act in enumerate(acts):
        if not act.machine and act.kind in _WORDS:
            by_kind.setdefault(act.kind, []).append(place)
    found: list[Aside] = []
    for kind, places in by_kind.items():
        at_once = list(_at_once(kind, places, at)) if kind in MOST_AT_ONCE else []
        found += at_once
        if kind in COUNTED:
            gone = {place for one in at_once for place in one.places}
            found += _out_of_line(kind, [place for place in places if place not in gone], at)
    return found


def keep_plausible(acts: Sequence[Engagement], at: list[float]) -> tuple[Sequence[Engagement], list[float]]:
    """The acts that count as far as their number goes, and their moments: what was given where nothing is set aside."""
    aside = set_aside(acts, at)
    if not aside:
        return acts, at
    gone = {place for one in aside for place in one.places}
    kept = [place for place in range(len(acts)) if place not in gone]
    return [acts[place] for place in kept], [at[place] for place in kept]


def _closest(at: Sequence[float], most: int) -> float:
    """The shortest time in which one more than `most` acts happened; infinite where there are no more."""
    return min(map(float.__sub__, at[most:], at), default=float("inf"))


def _at_once(kind: Kind, places: Sequence[int], at: Sequence[float]) -> Iterator[Aside]:
    most, until = MOST_AT_ONCE[kind], 0
    burst: list[int] = []
    for last in range(most, len(places)):
        first = last - most
        if at[places[last]] - at[places[first]] >= AT_ONCE_S:
            continue
        if burst and first >= until:  # the one before has ended
            yield _crowd(kind, burst)
            burst = []
        burst += places[max(first, until) : last + 1]
        until = last + 1
    if burst:
        yield _crowd(kind, burst)


def _crowd(kind: Kind, burst: Sequence[int]) -> Aside:
    return Aside(tuple(burst), f"{len(burst)} {_WORDS[kind]} at once, more than a person manages")


def _out_of_line(kind: Kind, places: Sequence[int], at: Sequence[float]) -> Iterator[Aside]:
    before: list[int] = []  # the numbers of the days so far, smallest first
    for day, theirs in _by_day(places, at):
        fence = _fence(before)
        if len(theirs) > fence:
            when = datetime.fromtimestamp(day * DAY_S, UTC)
            why = f"{len(theirs) - fence} of {len(theirs)} {_WORDS[kind]} on {when.day} {when:%B %Y}, beyond {fence} a day"
            yield Aside(tuple(theirs[fence:]), why)
        insort(before, len(theirs))


def _by_day(places: Sequence[int], at: Sequence[float]) -> Iterator[tuple[int, list[int]]]:
    """(day since 1970, places), oldest first."""
    days: dict[int, list[int]] = {}
    for place in places:
        days.setdefault(int(at[place] // DAY_S), []).append(place)
    yield from days.items()


def _fence(before: Sequence[int]) -> int:
    """The most acts of a kind that a day may have, by the numbers of the days before it, smallest first."""
    if len(before) < ENOUGH_DAYS:
        return COMMON_FENCE
    low, high = _quantile(before, 0.25), _quantile(before, 0.75)
    return max(LEAST_FENCE, int(high + FAR_OUT * (high - low)))


def _quantile(ordered: Sequence[int], share: float) -> float:
    """Linear between the two nearest (type 7 of Hyndman and Fan, 1996)."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
