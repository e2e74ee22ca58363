"""How leads like this one ended before, and what its words say: the features that training fills (see `learned`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Final

from leads.records import FieldValue
from scoring.features.feature import Feature, Group, Words
from scoring.features.learned import Keys, Learned
from scoring.features.temporal import TWO_YEARS
from scoring.features.timelines import Timelines, Values
from scoring.features.words import share, silent


def keys_of(lines: Timelines) -> list[Keys]:
    """What of each lead the learned tables are asked for."""
    regions = [region or country for region, country in zip(lines.lowered("region"), lines.lowered("country"), strict=True)]
    months = [str(history.as_of.astimezone(UTC).month) for history in lines.histories]
    return [Keys(*one) for one in zip(lines.lowered("industry"), regions, months, lines.texts, strict=True)]


def _asked(ask: Callable[[Learned, Keys], FieldValue]) -> Callable[[Timelines], Values]:
    """What the learned tables answer for each lead; missing before the first model."""

    def read(lines: Timelines) -> Values:
        learned = lines.learned
        if learned is None:
            return [None] * lines.size
        return [ask(learned, keys) for keys in lines.once("keys", lambda: keys_of(lines))]

    return read


def _learned(name: str, group: Group, meaning: str, source: str, missing: str, words: Words, needs_days: int = 0) -> Feature:
    return Feature(
        name=name,
        group=group,
        type="numeric",
        meaning=meaning,
        source=source,
        missing=f"missing before the first model, and {missing}",
        compute=_asked(lambda learned, keys: learned.value(name, keys)),
        words=words,
        better=1,
        needs_days=needs_days,
    )


def _intent_words(value: FieldValue, up: bool) -> str | None:
    return None if value is None else "writes like leads who bought" if up else "writes like leads who did not buy"


_OUT_OF_FOLD = "outcomes of other leads (out of fold in training)"

FEATURES: Final = (
    _learned(
        "industry_conversion",
        Group.FIRMOGRAPHIC,
        "Historical conversion of leads of this industry, drawn towards the mean of all when they are few",
        f"facts.industry, {_OUT_OF_FOLD}",
        "without an industry",
        share("leads of this industry convert at {}"),
    ),
    _learned(
        "region_conversion",
        Group.FIRMOGRAPHIC,
        "Historical conversion of leads of this region, drawn towards the mean of all when they are few",
        f"facts.region, else facts.country, {_OUT_OF_FOLD}",
        "without a region and a country",
        share("leads of this region convert at {}"),
    ),
    _learned(
        "seasonal_intent",
        Group.TEMPORAL,
        "Seasonal intent: historical conversion of leads in this month of the year",
        f"as_of, {_OUT_OF_FOLD}",
        "in a history of less than two years",
        silent,
        needs_days=TWO_YEARS,
    ),
    _learned(
        "message_intent",
        Group.BEHAVIOURAL,
        "Free-text intent: chance of winning by the lead's own words alone, from a text model trained with the rest",
        "facts.message and texts of messages, replies and forms",
        "when the lead wrote nothing",
        _intent_words,
    ),
)
