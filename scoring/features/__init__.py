"""Features of a lead: one code path for training, batch and live scoring."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from leads.records import FieldValue, LeadHistory
from scoring.features import behavioural, consumer, engagement, firmographic, history_rates, market, messages, temporal
from scoring.features.feature import Feature
from scoring.features.learned import Keys, Learned
from scoring.features.timelines import Timelines

#: Every canonical feature, in a fixed order. `scoring.catalogue` describes them.
FEATURES: Final[tuple[Feature, ...]] = (
    *firmographic.FEATURES,
    *behavioural.FEATURES,
    *messages.FEATURES,
    *engagement.FEATURES,
    *temporal.FEATURES,
    *consumer.FEATURES,
    *market.FEATURES,
    *history_rates.FEATURES,
)


_OF_ALL: Final = frozenset(feature.name for feature in FEATURES)


def build_many(
    histories: Sequence[LeadHistory],
    learned: Learned | None = None,
    known: Mapping[str, FieldValue] | None = None,
    wanted: Collection[str] = _OF_ALL,
) -> list[dict[str, FieldValue]]:
    """The value of every canonical feature of each lead as it stood at its `as_of`; None where the feature's rule says missing.

    Engagements after `as_of` and those flagged `machine` change nothing, nor does the order in which they are held, nor which other
    leads are asked for beside. `learned` is what the asking model learned of the past; without it the features of `history_rates`
    are missing. `known` are features that all of these histories have, at hand already. Those neither known nor `wanted` are left
    out.
    """
    return _rows(Timelines(histories, learned), known or {}, wanted)


def build(
    history: LeadHistory, learned: Learned | None = None, known: Mapping[str, FieldValue] | None = None
) -> dict[str, FieldValue]:
    """The features of one lead."""
    return build_many([history], learned, known)[0]


def read(histories: Sequence[LeadHistory]) -> tuple[list[dict[str, FieldValue]], list[Keys]]:
    """The features without those that training learns, and what of each lead its tables are asked for (see `learned`)."""
    lines = Timelines(histories)
    return _rows(lines, {}, _OF_ALL), history_rates.keys_of(lines)


def _rows(lines: Timelines, known: Mapping[str, FieldValue], wanted: Collection[str]) -> list[dict[str, FieldValue]]:
    told = [feature for feature in FEATURES if feature.name in wanted or feature.name in known]
    names = [feature.name for feature in told]
    columns = [[known[one.name]] * lines.size if one.name in known else one.compute(lines) for one in told]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
