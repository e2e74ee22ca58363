"""What a feature is: a named, documented, pure function of histories, with the words a rep would use for its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from leads.records import FieldValue
from scoring.features.timelines import Timelines, Values

#: Puts a value in words; the flag says whether it raised the score. None: not worth saying, or absurd.
Words = Callable[[FieldValue, bool], str | None]


class Group(StrEnum):
    """The four groups of the catalogue."""

    FIRMOGRAPHIC = "firmographic"
    BEHAVIOURAL = "behavioural"
    ENGAGEMENT = "engagement"
    TEMPORAL = "temporal"


@dataclass(frozen=True, slots=True)
class Feature:
    """One declared feature.

    `compute` gives, for each lead, a number (numeric), a short word (categorical) or None (missing, by the rule that `missing`
    states).
    `better` is +1 when more should help, -1 when more should hurt, 0 when nothing is expected: a reason against the expectation
    is not shown. Features of one `topic` tell the same story, so that only the strongest is told. A feature of the calendar needs
    training leads from at least `needs_days` days: in a shorter history it would merely tell old leads from new ones.
    """

    name: str
    group: Group
    type: Literal["numeric", "categorical"]
    meaning: str
    source: str
    missing: str
    compute: Callable[[Timelines], Values]
    words: Words
    better: Literal[-1, 0, 1] = 0
    topic: str = ""
    needs_days: int = 0
