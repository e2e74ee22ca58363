"""What past decisions teach: each with how its lead ended, and the picks of the engine that a person set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee

from connector.clock import from_ms, to_ms
from connector.errors import Retriable
from connector.storage.db import Database
from connector.storage.decisions import Decisions, StoredDecision
from connector.storage.recent_leads import Given, RecentLeads
from leads.enums import Outcome

PAGE = 500
WEEK = timedelta(days=7)
#: People's picks, each beside the newest decision on the lead before it that named somebody.
_SET_ASIDE = (
    "SELECT d.id, d.at, d.actor, d.reason, d.rep_id, p.id, p.rep_id, p.outcome FROM decision d JOIN decision p ON p.id ="
    " (SELECT MAX(q.id) FROM decision q WHERE q.lead_id = d.lead_id AND q.id < d.id AND q.rep_id IS NOT NULL)"
    " WHERE d.outcome = 'overridden' AND d.at >= ? ORDER BY d.id"
)


@dataclass(frozen=True, slots=True)
class Taught:
    """A past decision, and when and how its lead was won or lost (None: open still)."""

    decision: StoredDecision
    ended_at: datetime | None
    outcome: Outcome


#: What was said, and not taken back, of picks of the engine.
_SAID = (
    "SELECT f.kind, f.decision_id, f.value, f.at, f.actor, f.withdrawn_at FROM feedback f JOIN decision d ON d.id = f.decision_id"
    " WHERE f.kind IN ('override', 'passed') AND d.outcome = 'assigned' ORDER BY f.id"
)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A pick of the engine that a person overrode or passed on. `said` is the cause they gave, None when they gave none."""

    at: datetime
    actor: str
    said: str | None


class Lessons:
    """Reads only. Long spans are read in pages. Every look raises `Retriable` when the database is out of reach."""

    def __init__(self, db: Database, decisions: Decisions) -> None:
        self._db, self._decisions = db, decisions

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with self._db.connected():
                yield
        except peewee.DatabaseError as error:
            raise Retriable(f"The database did not answer ({type(error).__name__}).") from error

    def count(self, since: datetime) -> int:
        """How many decisions were made since then."""
        with self._reading():
            return int(self._db.run("SELECT COUNT(*) FROM decision WHERE at >= ?", to_ms(since)).fetchone()[0])

    def since(self, since: datetime) -> Iterator[Taught]:
        """Decisions made since then, oldest first."""
        ended = self._endings()
        after = 0
        while True:
            page = self._decisions.since(since, after, PAGE)
            for decision in page:
                outcome, at = ended.get(decision.lead_id, (Outcome.OPEN, None))
                yield Taught(decision, at, outcome)
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _endings(self) -> dict[int, tuple[Outcome, datetime | None]]:
        ended = "SELECT id, outcome, outcome_at FROM lead WHERE outcome IN ('won', 'lost')"
        with self._reading():
            found = self._db.run(ended).fetchall()
        return {lead_id: (Outcome.read(outcome), from_ms(at) if at is not None else None) for lead_id, outcome, at in found}

    def given_before(self, moment: datetime) -> Given:
        """The leads each rep was given in the week before a moment."""
        return RecentLeads(self._db).between(moment - WEEK, moment)

    def picks(self, since: datetime) -> list[datetime]:
        """When the engine picked somebody, since then."""
        with self._reading():
            found = self._db.run(
                "SELECT at FROM decision WHERE outcome = 'assigned' AND at >= ? ORDER BY at", to_ms(since)
            ).fetchall()
        return [from_ms(at) for (at,) in found]

    def set_aside(self, since: datetime, faults: Collection[str]) -> list[SetAside]:
        """Picks of the engine that people set aside since then, in order: each once, when it was overridden, or passed on for one
        of these causes. What they took back afterwards does not count; nor does who gets a lead that its rep had passed."""
        said: dict[int, tuple[str, object]] = {}
        passed: dict[int, SetAside] = {}
        with self._reading():
            for kind, decision_id, value, at, actor, withdrawn in self._db.run(_SAID).fetchall():
                if kind == "override":
                    said[decision_id] = value, withdrawn
                elif withdrawn is None:
                    passed.setdefault(decision_id, SetAside(from_ms(at), actor, value))
            found = self._db.run(_SET_ASIDE, to_ms(since)).fetchall()
        kept = [one for one in passed.values() if one.said in faults and one.at >= since]
        for _, at, actor, reason, rep_id, before, before_rep, outcome in found:
            cause, taken_back = said.get(before, (None, None))
            if outcome != "assigned" or rep_id == before_rep or reason == "undo" or taken_back is not None or before in passed:
                continue
            kept.append(SetAside(from_ms(at), actor, cause))
        return sorted(kept, key=lambda one: one.at)
