"""What is in the database at one moment, for the metrics page. Only look-ups that an index answers: it is read at every scrape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import peewee
from peewee import SQL, fn

from connector.errors import Retriable
from connector.storage.db import Database, tuples
from connector.storage.effects import OPEN
from connector.storage.models import DeadLetter, Decision, Effect, Inbox, Lead, Score


@dataclass(frozen=True, slots=True)
class Census:
    """Counts, and the age in seconds of the oldest thing that waits for each stage (0 when nothing waits).

    `open_effects` and `delivery_ages` are by destination, `dead_letters` by queue. `scores` and `decisions` are how many were
    ever made.
    """

    inbox_pending: int
    open_effects: Mapping[str, int]
    dead_letters: Mapping[str, int]
    scores: int
    decisions: int
    stage_ages: Mapping[str, float]
    delivery_ages: Mapping[str, float]


def take_census(db: Database, now: datetime) -> Census:
    """Count. Raises `Retriable` when the database is out of reach or not migrated."""
    try:
        with db.connected():
            return _count(now)
    except peewee.DatabaseError as error:
        raise Retriable(f"The database did not answer ({type(error).__name__}).") from error


def _count(now: datetime) -> Census:
    unscored = Lead.routable & (Lead.scored_version < Lead.version)
    unallocated = Lead.routable & (Lead.allocated_version < Lead.scored_version)
    pending = Inbox.state == "pending"
    outbox = Effect.select(Effect.destination, fn.COUNT(Effect.id), fn.MIN(Effect.due_at)).where(SQL(OPEN))
    effects = tuples(outbox.group_by(Effect.destination))
    letters = DeadLetter.select(DeadLetter.queue, fn.COUNT(DeadLetter.id)).where(DeadLetter.state == "open")
    oldest = {
        "ingest": Inbox.select(fn.MIN(Inbox.due_at)).where(pending).scalar(),
        "score": Lead.select(fn.MIN(Lead.touched_at)).where(unscored).scalar(),
        "allocate": Lead.select(fn.MIN(Lead.touched_at)).where(unallocated).scalar(),
    }
    return Census(
        inbox_pending=int(Inbox.select(fn.COUNT(Inbox.id)).where(pending).scalar()),
        open_effects={destination: count for destination, count, _ in effects},
        dead_letters=dict(tuples(letters.group_by(DeadLetter.queue))),
        scores=int(Score.select(fn.MAX(Score.id)).scalar() or 0),
        decisions=int(Decision.select(fn.MAX(Decision.id)).scalar() or 0),
        stage_ages={stage: _age(since, now) for stage, since in oldest.items()},
        delivery_ages={destination: _age(since, now) for destination, _, since in effects},
    )


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
