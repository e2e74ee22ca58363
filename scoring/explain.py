"""From contributions to the few reasons a rep should read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from leads.records import FieldValue
from leads.results import Reason
from scoring.catalogue import CATALOGUE
from scoring.columns import EXTRA, Column, Row
from scoring.features.feature import Feature, Group

#: Contributions below this many log-odds (about one point of the score) are neutral and not told.
NEUTRAL: Final = 0.05
#: An unanswered question is told only when it matters this much.
UNANSWERED: Final = 0.25
#: A lead younger than this is not blamed for what it has not done yet.
FRESH_DAYS: Final = 0.5
WAITING: Final = frozenset({Group.BEHAVIOURAL, Group.ENGAGEMENT})
UP: Final = 3
DOWN: Final = 2
#: Longer values of a tenant's column are cut, so that a reason stays one line.
LONGEST_VALUE: Final = 60
#: A value this near to the median, as a share of it, is as usual.
USUAL: Final = 0.05
#: Levels that everybody expects to help (1) or to hurt (-1): told the other way round they would be absurd.
EXPECTED_LEVELS: Final[Mapping[tuple[str, str], int]] = {
    ("email_kind", "disposable"): -1,
    ("email_kind", "business"): 1,
    ("email_consent", "no"): -1,
    ("email_consent", "yes"): 1,
}


def tell(
    contributions: Mapping[str, float], row: Row, columns: Mapping[str, Column], *, up: int = UP, down: int = DOWN
) -> tuple[Reason, ...]:
    """The strongest reasons, at most `up` raising and `down` lowering the score, strongest first.

    Features that tell one story (how often the lead clicks, ever and this week) are one reason: its contribution is their sum, its
    words are those of the strongest among them that points the same way. Hidden are neutral stories, those without words, and
    those against all sense, such as a score raised by fewer opens than usual. `columns` gives the medians known from training; it
    may be empty.
    """
    stories: dict[str, list[str]] = defaultdict(list)
    strength: dict[str, float] = defaultdict(float)
    for name, points in contributions.items():
        topic = topic_of(name)
        stories[topic].append(name)
        strength[topic] += points
    left = {True: up, False: down}
    reasons = []
    loud = [topic for topic, points in strength.items() if abs(points) >= NEUTRAL]
    for topic in sorted(loud, key=lambda topic: (-abs(strength[topic]), topic)):
        points = strength[topic]
        if left[points > 0]:
            names = sorted(stories[topic], key=lambda name: -abs(contributions[name]))
            told = _first_told(names, contributions, row, columns, points)
            if told is not None:
                reasons.append(Reason(told[0], points, row.get(told[0]), told[1]))
                left[points > 0] -= 1
    return tuple(reasons)


@lru_cache(maxsize=4096)
def topic_of(name: str) -> str:
    """The story that a feature belongs to; a column of the tenant's own is a story by itself."""
    feature = CATALOGUE.get(name)
    return (feature.topic or name) if feature else name


def _first_told(
    names: list[str], contributions: Mapping[str, float], row: Row, columns: Mapping[str, Column], points: float
) -> tuple[str, str] | None:
    """The first of these features that points the same way as its story and can be put in words, and the words."""
    for name in names:
        if contributions[name] * points > 0:
            text = _words(name, row, contributions[name], columns.get(name))
            if text is not None:
                return name, text
    return None


def _words(name: str, row: Row, points: float, column: Column | None) -> str | None:
    value = row.get(name)
    typical = column.typical if column else None
    feature = CATALOGUE.get(name)
    if feature is None:
        return _extra_words(name, value, points, column, typical)
    if points < 0 and feature.better > 0 and feature.group in WAITING and _is_fresh(row):
        return None  # nobody can have opened an e-mail before the first was sent
    if _is_absurd(feature, value, points, typical):
        return None
    return feature.words(value, points > 0)


def _is_absurd(feature: Feature, value: FieldValue, points: float, typical: float | None) -> bool:
    """True of the model, against all sense to a person: helped by less than usual, or by none, of a good thing; hurt by more."""
    if isinstance(value, str):
        return EXPECTED_LEVELS.get((feature.name, value), 0) * points < 0
    if not feature.better or value is None:
        return False
    number = float(value)
    usual = typical is not None and abs(number - typical) <= USUAL * abs(typical)
    if points * feature.better < 0:  # hurt by a good thing, or helped by a bad one
        if typical is None:
            return False
        return (feature.better > 0 and number > 0) if usual else number > typical
    if feature.better > 0 and number == 0:
        return True
    return typical is not None and not usual and number < typical


def _is_fresh(row: Row) -> bool:
    age = row.get("lead_age_days")
    return isinstance(age, int | float) and age < FRESH_DAYS


def _extra_words(name: str, value: FieldValue, points: float, column: Column | None, typical: float | None) -> str | None:
    """Words for a tenant's own column, in the tenant's own words."""
    label = name.removeprefix(EXTRA)
    if value is None:
        return f"no answer to “{label}”" if points <= -UNANSWERED else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if typical is None or value == typical:
            return f"{label} is {value:g}"
        return f"{label} is {value:g}, {'above' if value > typical else 'below'} the usual {typical:g}"
    if column is not None and str(value) not in column.levels:
        return None  # seldom or never seen in training: the model knows nothing of this level itself
    text = str(value)
    return f"{label}: {text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + '…'}"
