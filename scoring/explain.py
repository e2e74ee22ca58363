"""From contributions to the few reasons a rep should read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from leads.records import FieldValue
from leads.results import Reason
from scoring.catalogue import CATALOGUE
from scoring.columns import EXTRA, Column, Row

#: Contributions below this many log-odds (about one point of the score) are neutral and not told.
NEUTRAL: Final = 0.05
#: An unanswered question is told only when it matters this much.
UNANSWERED: Final = 0.25
UP: Final = 3
DOWN: Final = 2
#: Longer values of a tenant's column are cut, so that a reason stays one line.
LONGEST_VALUE: Final = 60


def tell(
    contributions: Mapping[str, float], row: Row, columns: Mapping[str, Column], *, up: int = UP, down: int = DOWN
) -> tuple[Reason, ...]:
    """The strongest reasons, at most `up` raising and `down` lowering the score, strongest first.

    Hidden are neutral contributions, those against all sense (a raised score for fewer opens than usual), those without words, and
    all but the strongest that tell one story. `columns` gives the medians known from training; it may be empty.
    """
    stories: dict[str, float] = defaultdict(float)
    for name, points in contributions.items():
        stories[_topic(name)] += points
    left = {True: up, False: down}
    told: set[str] = set()
    reasons = []
    for name, points in sorted(contributions.items(), key=lambda item: (-abs(item[1]), item[0])):
        if abs(points) < NEUTRAL or not any(left.values()):
            break
        raises, topic = points > 0, _topic(name)
        # A story whose parts cancel out, or add up to the other direction, would mislead.
        if not left[raises] or topic in told or stories[topic] * points <= 0 or abs(stories[topic]) < NEUTRAL:
            continue
        text = _words(name, row.get(name), points, columns.get(name))
        if text is None:
            continue
        reasons.append(Reason(name, points, row.get(name), text))
        told.add(topic)
        left[raises] -= 1
    return tuple(reasons)


def _topic(name: str) -> str:
    feature = CATALOGUE.get(name)
    return (feature.topic or name) if feature else name


def _words(name: str, value: FieldValue, points: float, column: Column | None) -> str | None:
    typical = column.typical if column else None
    feature = CATALOGUE.get(name)
    if feature is None:
        return _extra_words(name, value, points, column, typical)
    if feature.better and typical is not None and isinstance(value, int | float):
        # Helped by having less than usual, or hurt by having more: true of the model, absurd to a person.
        against = points * feature.better > 0
        if (against and value < typical) or (not against and value > typical):
            return None
    return feature.words(value, points > 0)


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
