"""How well each rep does with each tier, by how their leads ended: one of the factors of the weighted method."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from connector.clock import Clock
from connector.storage.decisions import Decisions
from leads.enums import Tier

#: A rep's own figures weigh as much as the team's once so many of their leads have ended.
PRIOR_LEADS: Final = 10.0
COUNT_EVERY: Final = timedelta(minutes=10)


class TierSkills:
    """Rep → tier → skill within 0-1; 0.5 is as good as the others, and stands where nothing has ended yet.

    With w the rep's share won of a tier, drawn towards that of all reps (m) as if by ten leads of theirs, the skill is w / (w + m).
    """

    def __init__(self, decisions: Decisions, clock: Clock) -> None:
        self._decisions, self._clock = decisions, clock
        self._lock = threading.Lock()
        self._counted_at: datetime | None = None
        self._skills: Mapping[str, Mapping[Tier, float]] = {}

    def all(self) -> Mapping[str, Mapping[Tier, float]]:
        """By rep id, the skill by tier, counted anew every ten minutes; reps of whom nothing has ended are not in it."""
        now = self._clock.now()
        with self._lock:
            if self._counted_at is None or abs(now - self._counted_at) >= COUNT_EVERY:
                self._counted_at = now
                self._skills = skills(self._decisions.endings())
            return self._skills


def skills(endings: Mapping[tuple[str, Tier], tuple[int, int]]) -> dict[str, dict[Tier, float]]:
    """Skills out of (won, ended) by rep and tier."""
    won_of, ended_of = defaultdict[Tier, int](int), defaultdict[Tier, int](int)
    for (_, tier), (won, ended) in endings.items():
        won_of[tier] += won
        ended_of[tier] += ended
    found: dict[str, dict[Tier, float]] = {}
    for (rep, tier), (won, ended) in endings.items():
        mean = won_of[tier] / ended_of[tier]
        if mean > 0:
            share = (won + PRIOR_LEADS * mean) / (ended + PRIOR_LEADS)
            found.setdefault(rep, {})[tier] = round(share / (share + mean), 4)
    return found
