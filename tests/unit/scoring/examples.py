"""Histories for the scoring tests. Tuesday 10 March 2026, noon UTC, is "now"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from leads.enums import EngagementKind, Outcome
from leads.records import Engagement, FieldValue, LabelledHistory, LeadHistory

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
K = EngagementKind


def act(kind: EngagementKind, days: float = 0.0, hours: float = 0.0, **more: Any) -> Engagement:
    """An act so long before NOW."""
    return Engagement(kind=kind, occurred_at=NOW - timedelta(days=days, hours=hours), **more)


def viewed(path: str, days: float = 0.0, minutes: float = 0.0) -> Engagement:
    return act(K.PAGE_VIEWED, days, minutes / 60, properties={"path": path})


def lead(*acts: Engagement, age_days: float = 9.0, extra: dict[str, FieldValue] | None = None, **facts: FieldValue) -> LeadHistory:
    """A lead as it stands at NOW."""
    return LeadHistory(1, NOW - timedelta(days=age_days), NOW, facts, acts, extra or {})


def make_past(rows: int = 400, seed: int = 3) -> list[LabelledHistory]:
    """Invented past leads: clicks, title and the tenant's `Plan` column carry signal, the rest is noise.

    The true log-odds are -2.0 + 1.6 a click + 2.0 for directors - 1.5 for plan "Free".
    """
    random = np.random.default_rng(seed)
    past = []
    for number in range(rows):
        created = NOW - timedelta(days=400 - 0.9 * number * 400 / rows)
        clicks, director = int(random.poisson(0.8)), bool(random.random() < 0.3)
        plan = str(random.choice(["Free", "Team", "Business"]))
        odds = -2.0 + 1.6 * clicks + 2.0 * director - 1.5 * (plan == "Free")
        as_of = created + timedelta(days=7)
        acts = [Engagement(K.EMAIL_DELIVERED, created + timedelta(hours=hour)) for hour in (1, 30)]
        acts += [Engagement(K.EMAIL_CLICKED, created + timedelta(hours=2 + 20 * place)) for place in range(clicks)]
        facts: dict[str, FieldValue] = {
            "title": "Director of Sales" if director else "Sales Specialist",
            "source": str(random.choice(["web", "event", "partner"])),
            "email": f"lead{number}@firm{number % 37}.example",
            "employees": None if random.random() < 0.4 else int(random.integers(5, 2000)),
            "owner_id": str(random.integers(1, 9)),
        }
        extra: dict[str, FieldValue] = {
            "Plan": plan if random.random() < 0.9 else "Select",
            "Age": str(int(random.integers(18, 70))),
        }
        history = LeadHistory(number, created, as_of, facts, tuple(acts), extra)
        won = random.random() < 1 / (1 + np.exp(-odds))
        past.append(LabelledHistory(history, Outcome.WON if won else Outcome.LOST))
    return past
