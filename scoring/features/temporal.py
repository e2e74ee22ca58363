"""When: recency, age, hours and seasons. All in UTC."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, timedelta
from functools import lru_cache
from typing import Final, Literal

from leads.records import FieldValue
from scoring.features.feature import Feature, Group, Words
from scoring.features.timelines import Timelines, Values
from scoring.features.words import flag, silent, span
from scoring.timeline import DAY_S, HOUR_S

#: The age at which a lead's freshness has fallen to 1/e.
AGE_SCALE_DAYS: Final = 30.0
OLD_DAYS: Final = 7.0
#: A season must have come back, and a quarter have ended four times, before a model can tell it from plain time.
TWO_YEARS: Final = 730
FOUR_QUARTERS: Final = 365
OFFICE_HOURS: Final = range(8, 18)


def lead_age_days(lines: Timelines) -> list[float]:
    """Days since creation; 0 when the clock of the source runs ahead of ours."""
    return [max(0.0, (now - created) / DAY_S) for now, created in zip(lines.now, lines.created, strict=True)]


def lead_freshness(lines: Timelines) -> Values:
    return [round(math.exp(-age / AGE_SCALE_DAYS), 9) for age in lead_age_days(lines)]


def first_act_delay_hours(lines: Timelines) -> Values:
    """Hours from creation to the first act; negative when the person acted before becoming a lead."""
    each = zip(lines.times, lines.created, strict=True)
    return [(times[0] - created) / 3600.0 if times else None for times, created in each]


def silence_ratio(lines: Timelines) -> Values:
    """The present silence against the mean gap between acts; needs two acts at different moments."""
    return [
        (now - times[-1]) / ((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 and times[-1] > times[0] else None
        for now, times in zip(lines.now, lines.times, strict=True)
    ]


def _months(lines: Timelines) -> Values:
    return [history.as_of.astimezone(UTC).month for history in lines.histories]


def quarter_end_days(lines: Timelines) -> Values:
    """Whole days from `as_of` to the last day of its calendar quarter."""
    return [_to_quarter_end(history.as_of.astimezone(UTC).date()) for history in lines.histories]


@lru_cache(maxsize=64)
def _to_quarter_end(today: date) -> int:
    month = (today.month - 1) // 3 * 3 + 3
    next_first = date(today.year + month // 12, month % 12 + 1, 1)
    return (next_first - timedelta(days=1) - today).days


def _hour(moment: float) -> int:
    """The clock hour, 0 to 23."""
    return int(moment // HOUR_S) % 24


def _weekday(moment: float) -> int:
    """The weekday, Monday 0; 1 January 1970 was a Thursday."""
    return (int(moment // DAY_S) + 3) % 7


def preferred_hour(lines: Timelines) -> Values:
    """The hour in which the lead acts most; the earlier one when two are equal."""
    return [_most_frequent(hours) if hours else None for hours in _hours(lines)]


def _hours(lines: Timelines) -> list[list[int]]:
    """The clock hour of each act."""
    return lines.once("hours of acts", lambda: [[int(at // HOUR_S) % 24 for at in times] for times in lines.times])  # type: ignore[no-any-return]


def _most_frequent(hours: list[int]) -> int:
    different = set(hours)
    return hours[0] if len(different) == 1 else max(sorted(different), key=hours.count)


def office_hours_share(lines: Timelines) -> Values:
    """Share of acts on working days from 8 to 18."""
    return [
        sum([hour in OFFICE_HOURS and (at // DAY_S + 3) % 7 < 5 for hour, at in zip(hours, times, strict=True)]) / len(times)
        if times
        else None
        for hours, times in zip(_hours(lines), lines.times, strict=True)
    ]


def _recency_words(value: FieldValue, up: bool) -> str | None:
    if value is None:
        return None
    return f"last active {span(float(value))} ago"


def _age_words(value: FieldValue, up: bool) -> str | None:
    # That a lead is new is no news to the one it is given to.
    return None if up or value is None or float(value) < OLD_DAYS else f"came in {span(float(value) * 24)} ago"


def _silence_words(value: FieldValue, up: bool) -> str | None:
    return None if value is None or up or float(value) < 1.5 else "has been silent for longer than usual"


def _quarter_words(value: FieldValue, up: bool) -> str | None:
    days = int(float(value or 0))
    return f"the quarter ends in {days} days" if up and 1 < days <= 21 else None


_WHEN = Group.TEMPORAL


def _feature(
    name: str,
    compute: Callable[[Timelines], Values],
    meaning: str,
    source: str,
    missing: str,
    words: Words,
    better: Literal[-1, 0, 1] = 0,
    topic: str = "",
    needs_days: int = 0,
) -> Feature:
    return Feature(name, _WHEN, "numeric", meaning, source, missing, compute, words, better, topic or name, needs_days)


_ACTS = "engagements: every act of a person"
_CREATED = "created_at"

FEATURES: Final = (
    _feature(
        "hours_since_act",
        lambda lines: lines.hours_since(lines.last_act()),
        "Hours since the last act",
        _ACTS,
        "missing without an act",
        _recency_words,
        -1,
        "recency",
    ),
    _feature(
        "created_day",
        lambda lines: [round(created / DAY_S, 6) for created in lines.created],
        "Day of creation, in days since 1970: how conversion changes with time (used where that is measurably better)",
        _CREATED,
        "never missing",
        silent,
    ),
    _feature("lead_age_days", lead_age_days, "Days since the lead was created", _CREATED, "never missing", _age_words, -1, "age"),
    _feature(
        "lead_freshness",
        lead_freshness,
        "Lead age decay: freshness, exp(-age / 30 days)",
        _CREATED,
        "never missing",
        silent,
        1,
        "age",
    ),
    _feature(
        "first_act_delay_hours",
        first_act_delay_hours,
        "Hours from creation to the first act",
        f"{_CREATED}, {_ACTS}",
        "missing without an act",
        silent,
    ),
    _feature(
        "silence_ratio",
        silence_ratio,
        "Present silence against the usual gap",
        _ACTS,
        "missing before two acts",
        _silence_words,
        -1,
        "recency",
    ),
    _feature(
        "created_hour",
        lambda lines: [_hour(created) for created in lines.created],
        "Hour of creation",
        _CREATED,
        "never missing",
        silent,
    ),
    _feature(
        "created_weekday",
        lambda lines: [_weekday(created) for created in lines.created],
        "Weekday of creation, Monday 0",
        _CREATED,
        "never missing",
        silent,
    ),
    _feature(
        "created_weekend",
        lambda lines: [int(_weekday(created) >= 5) for created in lines.created],
        "1 when created on a weekend",
        _CREATED,
        "never missing",
        flag("came in on a weekend"),
    ),
    _feature(
        "season_month",
        _months,
        "Month of the year, for seasons",
        "as_of",
        "never missing",
        silent,
        needs_days=TWO_YEARS,
    ),
    _feature(
        "quarter_end_days",
        quarter_end_days,
        "Quarter-end proximity: days to the end of the quarter",
        "as_of",
        "never missing",
        _quarter_words,
        -1,
        needs_days=FOUR_QUARTERS,
    ),
    _feature(
        "preferred_hour",
        preferred_hour,
        "Preferred hour: the one in which the lead acts most",
        _ACTS,
        "missing without an act",
        silent,
    ),
    _feature("office_hours_share", office_hours_share, "Share of acts in office hours", _ACTS, "missing without an act", silent),
)
