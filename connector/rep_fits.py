"""The learned fit of reps and leads, as decisions use it. What was learned last holds; `leadswitch evaluate --learn` learns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from allocation.rep import LeadFacts
from allocation.rep_fit import RepFit
from connector.clock import Clock
from connector.storage.cells import Cells

CELL: Final = "rep_fit"
LOOK_EVERY: Final = timedelta(minutes=1)


class RepFits:
    """Reads the fit in use now and then; without one every answer is empty."""

    def __init__(self, cells: Cells, clock: Clock) -> None:
        self._cells, self._clock = cells, clock
        self._lock = threading.Lock()
        self._looked_at: datetime | None = None
        self._fit: RepFit | None = None

    def of(self, lead: LeadFacts, reps: Sequence[str]) -> dict[str, float]:
        """By rep, the learned probability that they win the lead."""
        fit = self.current()
        return fit.chances(reps, lead) if fit else {}

    def current(self) -> RepFit | None:
        """The fit in use, looked for again every minute."""
        now = self._clock.now()
        with self._lock:
            if self._looked_at is None or abs(now - self._looked_at) >= LOOK_EVERY:
                self._looked_at = now
                stored = self._cells.get(CELL)
                self._fit = RepFit.from_json(stored) if stored else None
            return self._fit

    def use(self, fit: RepFit | None) -> None:
        """From now on, in every process within a minute."""
        self._cells.set(CELL, fit.to_json() if fit else None)
        self._looked_at = None
