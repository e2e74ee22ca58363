"""Features of a lead: one code path for training, batch and live scoring."""

from __future__ import annotations

from typing import Final

from leads.records import FieldValue, LeadHistory
from scoring.features import behavioural, engagement, firmographic, temporal
from scoring.features.feature import Feature
from scoring.features.timeline import Timeline

#: Every canonical feature, in a fixed order. `scoring.catalogue` describes them.
FEATURES: Final[tuple[Feature, ...]] = (*firmographic.FEATURES, *behavioural.FEATURES, *engagement.FEATURES, *temporal.FEATURES)


def build(history: LeadHistory) -> dict[str, FieldValue]:
    """The value of every canonical feature as it stood at `history.as_of`; None where the feature's rule says missing.

    Engagements after `as_of` and those flagged `machine` change nothing, nor does the order in which they are held.
    """
    line = Timeline(history)
    return {feature.name: feature.compute(line) for feature in FEATURES}
