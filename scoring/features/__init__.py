"""Features of a lead: one code path for training, batch and live scoring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leads.records import FieldValue, LeadHistory
from scoring.features import behavioural, consumer, engagement, firmographic, history_rates, market, messages, temporal
from scoring.features.feature import Feature
from scoring.features.learned import Keys, Learned
from scoring.features.timeline import Timeline

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


def build(
    history: LeadHistory, learned: Learned | None = None, live: Mapping[str, FieldValue] | None = None
) -> dict[str, FieldValue]:
    """The value of every canonical feature as it stood at `history.as_of`; None where the feature's rule says missing.

    Engagements after `as_of` and those flagged `machine` change nothing, nor does the order in which they are held. `learned` is
    what the asking model learned of the past; without it the features of `history_rates` are missing. `live` are the features of
    the live layer, where it has them at hand.
    """
    line = Timeline(history, learned)
    if live is None:
        return {feature.name: feature.compute(line) for feature in FEATURES}
    return {feature.name: live[feature.name] if feature.name in live else feature.compute(line) for feature in FEATURES}


def read(history: LeadHistory) -> tuple[dict[str, FieldValue], Keys]:
    """The features without those that training learns, and what of the lead its tables are asked for (see `learned`)."""
    line = Timeline(history)
    return {feature.name: feature.compute(line) for feature in FEATURES}, history_rates.keys_of(line)
