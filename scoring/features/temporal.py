"""When: recency, age, hours and seasons. All in UTC."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, timedelta
from typing import Final, Literal

from leads.records import FieldValue
from scoring.features.feature import Feature, Group, Words
from scoring.features.timeline import Timeline
from scoring.features.words import flag, silent, span

#: The age at which a lead's freshness has fallen to 1/e.
AGE_SCALE_DAYS: Final = 30.0
OLD_DAYS: Final = 7.0
#: A season must have come back, and a quarter have ended four times, before a model can tell it from plain time.
TWO_YEARS: Final = 730
FOUR_QUARTERS: Final = 365
OFFICE_HOURS: Final = range(8, 18)


def lead_age_days(line: Timeline) -> FieldValue:
    """Days since creation; 0 when the clock of the source runs ahead of ours."""
    return max(0.0, (line.as_of - line.created_at).total_seconds() / 86_400.0)


def lead_freshness(line: Timeline) -> FieldValue:
    age = max(0.0, (line.as_of - line.created_at).total_seconds() / 86_400.0)
    return round(math.exp(-age / AGE_SCALE_DAYS), 9)


def first_act_delay_hours(line: Timeline) -> FieldValue:
    """Hours from creation to the first act; negative when the person acted before becoming a lead."""
    return (line.act_times[0] - line.created_at.timestamp()) / 3600.0 if line.acts else None


def silence_ratio(line: Timeline) -> FieldValue:
    """The present silence against the mean gap between acts; needs two acts at different moments."""
    if len(line.acts) < 2 or line.act_times[-1] == line.act_times[0]:
        return None
    mean_gap = (line.act_times[-1] - line.act_times[0]) / (len(line.acts) - 1)
    return (line.now - line.act_times[-1]) / mean_gap


def quarter_end_days(line: Timeline) -> FieldValue:
    """Whole days from `as_of` to the last day of its calendar quarter."""
    today = line.as_of.astimezone(UTC).date()
    month = (today.month - 1) // 3 * 3 + 3
    next_first = date(today.year + month // 12, month % 12 + 1, 1)
    return (next_first - timedelta(days=1) - today).days


def preferred_hour(line: Timeline) -> FieldValue:
    """The hour in which the lead acts most; the earlier one when two are equal."""
    if not line.acts:
        return None
    hours = Counter(act.occurred_at.astimezone(UTC).hour for act in line.acts)
    return min(hours, key=lambda hour: (-hours[hour], hour))


def office_hours_share(line: Timeline) -> FieldValue:
    """Share of acts on working days from 8 to 18."""
    if not line.acts:
        return None
    moments = [act.occurred_at.astimezone(UTC) for act in line.acts]
    return sum(moment.weekday() < 5 and moment.hour in OFFICE_HOURS for moment in moments) / len(moments)


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
    compute: Callable[[Timeline], FieldValue],
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
        lambda line: line.hours_since(line.act_times),
        "Hours since the last act",
        _ACTS,
        "missing without an act",
        _recency_words,
        -1,
        "recency",
    ),
    _feature(
        "created_day",
        lambda line: round(line.created_at.timestamp() / 86_400.0, 6),
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
        "created_hour", lambda line: line.created_at.astimezone(UTC).hour, "Hour of creation", _CREATED, "never missing", silent
    ),
    _feature(
        "created_weekday",
        lambda line: line.created_at.astimezone(UTC).weekday(),
        "Weekday of creation, Monday 0",
        _CREATED,
        "never missing",
        silent,
    ),
    _feature(
        "created_weekend",
        lambda line: int(line.created_at.astimezone(UTC).weekday() >= 5),
        "1 when created on a weekend",
        _CREATED,
        "never missing",
        flag("came in on a weekend"),
    ),
    _feature(
        "season_month",
        lambda line: line.as_of.astimezone(UTC).month,
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
