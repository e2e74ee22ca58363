"""What training learned of the past and hands on to the features: how leads like this one ended, and what their words say.

The tables are filled by `scoring.learning`, out of fold for the leads that a model is trained on, and are stored with the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Self

from leads.records import FieldValue

#: A level of few leads is drawn towards the common rate as if so many average leads were added to it.
PRIOR_LEADS: Final = 20.0
#: Words are letters alone: numbers and addresses name people, and say nothing of the next one.
WORD: Final = re.compile(r"[^\W\d_]{2,}")
ROUND: Final = 6
#: The learned features: those of a table, each a field of `Keys`, and the one of the words.
TABLES: Final = {"industry_conversion": "industry", "region_conversion": "region", "seasonal_intent": "month"}
INTENT: Final = "message_intent"


@dataclass(frozen=True, slots=True)
class Keys:
    """What of a lead is looked up: its industry, its region (else its country), the month of the year, and its words."""

    industry: str | None
    region: str | None
    month: str
    text: str


@dataclass(frozen=True, slots=True)
class WordModel:
    """A linear model of words and pairs of words: log-odds of winning are `bias` plus the mean-scaled weights of those present."""

    bias: float
    weights: Mapping[str, float]

    def chance(self, text: str) -> float:
        """The chance, 0 to 1, that leads who write so are won."""
        present = {term for term in terms(text) if term in self.weights}
        scale = math.sqrt(len(present)) or 1.0
        points = self.bias + math.fsum(self.weights[term] for term in present) / scale
        return round(1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, points)))), ROUND)


@dataclass(frozen=True, slots=True)
class Learned:
    """`base` is the conversion of all leads; `rates` are (won, leads) by table ("industry", "region", "month") and level."""

    base: float
    rates: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    words: WordModel | None = None

    def rate(self, table: str, level: str | None) -> float | None:
        """The conversion of a level, drawn towards the base; the base for a level never seen; None without a level or a table."""
        if level is None or table not in self.rates:
            return None
        won, leads = self.rates[table].get(level, (0.0, 0.0))
        return round((won + PRIOR_LEADS * self.base) / (leads + PRIOR_LEADS), ROUND)

    def intent(self, text: str) -> float | None:
        """What the words say; None when nothing was written or no words were learned."""
        return self.words.chance(text) if text and self.words is not None else None

    def value(self, name: str, keys: Keys) -> FieldValue:
        """One learned feature of a lead."""
        table = TABLES.get(name)
        return self.intent(keys.text) if table is None else self.rate(table, getattr(keys, table))

    def values(self, keys: Keys) -> dict[str, FieldValue]:
        """The learned features of a lead, by name."""
        return {name: self.value(name, keys) for name in (*TABLES, INTENT)}

    def to_json(self) -> dict[str, Any]:
        """Plain values for the bundle; `from_json` reads them back bit for bit."""
        words = {"bias": self.words.bias, "weights": dict(self.words.weights)} if self.words else None
        return {"base": self.base, "rates": {name: dict(table) for name, table in self.rates.items()}, "words": words}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError when it is not what `to_json` wrote."""
        rates = {
            name: {level: (float(won), float(leads)) for level, (won, leads) in table.items()}
            for name, table in stored["rates"].items()
        }
        words = stored["words"]
        return cls(float(stored["base"]), rates, WordModel(float(words["bias"]), dict(words["weights"])) if words else None)


def terms(text: str) -> list[str]:
    """Words and pairs of neighbouring words of a text in lower case."""
    words: Sequence[str] = WORD.findall(text)
    return [*words, *(f"{left} {right}" for left, right in pairwise(words))]
