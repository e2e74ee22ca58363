"""What is remembered of leads that ended, to hold new ones against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leads.enums import EngagementKind, Outcome
from leads.records import FieldValue


@dataclass(frozen=True, slots=True)
class PastLook:
    """A past lead as it stood at `as_of`, how it ended and when, and what it did from then on (kind, moment), oldest first."""

    lead_id: int
    as_of: datetime
    outcome: Outcome
    ended_at: datetime
    features: Mapping[str, FieldValue]
    acts_after: tuple[tuple[EngagementKind, datetime], ...] = ()
