"""What a stand-in has sent to the service, and how each delivery was answered: the ground truth of the closing table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

GENUINE, REPEAT, FORGED, STALE = "genuine", "repeat", "forged", "stale"


@dataclass
class Sent:
    """One delivery. `mark` says what it was meant to be; `keys` names its events so that repeats can be told apart;
    `subjects` are the contact ids or addresses it speaks of. Moments are seconds since 1970."""

    number: int
    mark: str
    keys: Sequence[str]
    subjects: Sequence[str]
    queued_at: float
    first_at: float | None = None
    answered_at: float | None = None
    attempts: int = 0
    status: int | None = None
    finished: bool = False
    failures: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Ledger:
    """All deliveries in the order in which they were queued."""

    rows: list[Sent] = field(default_factory=list)

    def open(self, mark: str, keys: Sequence[str], subjects: Sequence[str]) -> Sent:
        row = Sent(len(self.rows), mark, tuple(keys), tuple(subjects), time.time())
        self.rows.append(row)
        return row

    @property
    def pending(self) -> int:
        return sum(not row.finished for row in self.rows)

    def summary(self) -> Mapping[str, Any]:
        """Counts by mark: deliveries, events, accepted deliveries, and those refused with 401."""
        answer: dict[str, Any] = {"deliveries": len(self.rows), "pending": self.pending, "attempts": 0, "marks": {}}
        for row in self.rows:
            entry = answer["marks"].setdefault(row.mark, {"deliveries": 0, "events": 0, "accepted": 0, "refused": 0, "gave_up": 0})
            entry["deliveries"] += 1
            entry["events"] += len(row.keys)
            entry["accepted"] += row.accepted
            entry["refused"] += row.status == 401
            entry["gave_up"] += row.finished and not row.accepted and row.status != 401
            answer["attempts"] += row.attempts
        answer["unique_events"] = len({key for row in self.rows if row.mark == GENUINE for key in row.keys})
        return answer

    def to_json(self, since: int = 0) -> list[dict[str, Any]]:
        """The rows from number `since` on."""
        return [asdict(row) for row in self.rows[since:]]
