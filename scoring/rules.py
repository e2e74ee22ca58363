"""Day-one rules: additive log-odds over canonical features, so that the reasons are exact without any history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from leads.records import FieldValue
from scoring.columns import FloatArray, Row
from scoring.tiers import Cuts

VERSION: Final = "rules-1"
NO_MODEL: Final = "No model has been trained yet: this score follows the day-one rules."

#: Log-odds of a lead nothing is known of: about 14 in 100.
BASE: Final = -1.8
CUTS: Final = Cuts(a=0.60, b=0.30, c=0.12)

Rule = Callable[[FieldValue], float]


def _each(step: float, most: int) -> Rule:
    """So much for each, up to `most` of them."""
    return lambda value: step * min(float(value or 0), most)


def _levels(points: Mapping[str, float]) -> Rule:
    return lambda value: points.get(str(value), 0.0)


def _steps(*bounds: tuple[float, float], beyond: float) -> Rule:
    """The points of the first bound that the value stays below."""
    return lambda value: next((points for bound, points in bounds if float(value or 0) < bound), beyond)


#: Points in log-odds by feature; a missing value gives none. Starting values from common practice, replaced by the first model.
RULES: Final[Mapping[str, Rule]] = {
    "decision_maker_probability": lambda value: 1.2 * (float(value or 0) - 0.3),
    "email_kind": _levels({"business": 0.3, "free": -0.3, "education": -0.3, "disposable": -1.5}),
    "company_maturity": _levels({"micro": -0.2, "medium": 0.3, "large": 0.4, "enterprise": 0.3}),
    "email_company_match": lambda value: 0.2 if value else -0.1,
    "has_phone": lambda value: 0.25 if value else -0.1,
    "email_consent": _levels({"no": -0.5, "yes": 0.1}),
    "page_views_7d": _each(0.06, 10),
    "buying_pages_30d": _each(0.25, 4),
    "downloads_30d": _each(0.2, 3),
    "videos_30d": _each(0.1, 3),
    "forms_30d": _each(0.3, 3),
    "product_uses_30d": _each(0.15, 6),
    "proposal_views_30d": _each(0.5, 3),
    "budget_mention": _each(0.5, 1),
    "urgency_mention": _each(0.5, 1),
    "buying_mention": _each(0.6, 1),
    "objection_mention": _each(-0.6, 1),
    "opens_7d": _each(0.1, 5),
    "clicks_7d": _each(0.25, 4),
    "replies_30d": _each(0.6, 3),
    "meetings_booked_30d": _each(0.9, 2),
    "meetings_attended": _each(0.5, 2),
    "calls_answered_30d": _each(0.35, 3),
    "unsubscribed": _each(-1.8, 1),
    "bounces_30d": _each(-0.5, 2),
    "unanswered_emails": _each(-0.1, 6),
    "hours_since_act": _steps((24, 0.3), (24 * 7, 0.0), (24 * 30, -0.4), beyond=-0.9),
    "lead_age_days": _steps((2, 0.2), (30, 0.0), (90, -0.3), beyond=-0.7),
}


class RulesScorer:
    """The rules behind the same protocol as a model."""

    source: Final = "rules"
    base: Final = BASE
    names: Final = tuple(RULES)

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        """Log-odds of each row, shape (rows,)."""
        return np.asarray(self.base + self.contributions(rows).sum(axis=1), dtype=np.float64)

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        """Points in log-odds, shape (rows, names)."""
        points = [[0.0 if row[name] is None else rule(row[name]) for name, rule in RULES.items()] for row in rows]
        return np.array(points, dtype=np.float64).reshape(len(rows), len(RULES))
