"""How the team stands: each rep's queue with its clocks, who got how much, what was missed, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_ms, to_ms
from connector.storage.db import Database
from leads.enums import Tier

#: The stages of the SLA that can be missed; the others only remind.
MISSABLE = "t.stage IN ('accept', 'contact')"


@dataclass(frozen=True, slots=True)
class Queued:
    """A lead that a rep holds. `due_at` is the next deadline of its SLA."""

    lead_id: int
    opened_at: datetime
    accepted_at: datetime | None
    score: int | None
    tier: Tier
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Offer:
    """One lead given to a rep by the engine, the CRM or a person."""

    rep_id: str
    opened_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ending:
    """A lead that was won or lost while a rep held it, and the probability it had been scored with when the rep got it."""

    rep_id: str
    won: bool
    probability: float | None
    tier: Tier


class Standings:
    """Reports for App Home and the leaderboard. Reads only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def queue(self, rep_id: str, limit: int) -> list[Queued]:
        """Open leads of a rep: those not accepted first, then the best score first."""
        found = (
            "SELECT a.lead_id, a.opened_at, a.accepted_at, s.score, s.tier, (SELECT MIN(t.due_at) FROM timer t"  # noqa: S608
            f" WHERE t.assignment_id = a.id AND t.state = 'pending' AND {MISSABLE})"
            " FROM assignment a JOIN lead l ON l.id = a.lead_id LEFT JOIN score s ON s.id = l.score_id"
            " WHERE a.rep_id = ? AND a.closed_at IS NULL AND l.outcome = 'open'"
            " ORDER BY CASE WHEN a.accepted_at IS NULL THEN 0 ELSE 1 END, COALESCE(s.score, -1) DESC, a.id LIMIT ?"
        )
        with self._db.connected():
            return [
                Queued(lead, from_ms(opened), _moment(accepted), score, Tier.read(tier), _moment(due))
                for lead, opened, accepted, score, tier, due in self._db.run(found, int(rep_id), limit).fetchall()
            ]

    def offers(self, since: datetime) -> list[Offer]:
        """Every lead that was given to somebody since then."""
        found = "SELECT rep_id, opened_at, accepted_at FROM assignment WHERE opened_at >= ?"
        with self._db.connected():
            return [
                Offer(str(rep), from_ms(opened), _moment(accepted))
                for rep, opened, accepted in self._db.run(found, to_ms(since)).fetchall()
            ]

    def breaches(self, since: datetime) -> Counter[str]:
        """Deadlines missed since then, by the rep who held the lead."""
        found = (
            "SELECT a.rep_id, COUNT(*) FROM timer t JOIN assignment a ON a.id = t.assignment_id"  # noqa: S608 - constants only
            f" WHERE t.state = 'fired' AND {MISSABLE} AND t.due_at >= ? GROUP BY a.rep_id"
        )
        with self._db.connected():
            return Counter({str(rep): count for rep, count in self._db.run(found, to_ms(since)).fetchall()})

    def endings(self, since: datetime) -> list[Ending]:
        """Leads won or lost since then, each with its last rep and the score it was given to them with."""
        found = (
            "SELECT a.rep_id, l.outcome, s.probability, s.tier FROM lead l JOIN assignment a ON a.id ="
            " (SELECT MAX(b.id) FROM assignment b WHERE b.lead_id = l.id) LEFT JOIN decision d ON d.id = a.decision_id"
            " LEFT JOIN score s ON s.id = d.score_id WHERE l.outcome IN ('won', 'lost') AND l.outcome_at >= ?"
        )
        with self._db.connected():
            return [
                Ending(str(rep), outcome == "won", probability, Tier.read(tier))
                for rep, outcome, probability, tier in self._db.run(found, to_ms(since)).fetchall()
            ]

    def marks(self) -> dict[str, str]:
        """For each rep, a text that changes whenever their queue does: what it holds, is accepted, changed, scored, due, missed."""
        found = (
            "SELECT a.rep_id, COUNT(*), COUNT(a.accepted_at), SUM(a.id), COALESCE(SUM(l.score_id), 0), SUM(l.version),"  # noqa: S608
            " SUM((SELECT COALESCE(SUM(CASE WHEN t.state = 'pending' THEN t.due_at ELSE -t.id END), 0) FROM timer t"
            f" WHERE {MISSABLE} AND t.assignment_id = a.id))"
            " FROM assignment a JOIN lead l ON l.id = a.lead_id WHERE a.closed_at IS NULL GROUP BY a.rep_id"
        )
        with self._db.connected():
            return {str(row[0]): repr(tuple(row[1:])) for row in self._db.run(found).fetchall()}

    def given(self) -> dict[str, int]:
        """When each rep was last given a lead (ms): their part of the team's leads changes with it."""
        found = "SELECT id, (SELECT COALESCE(MAX(a.opened_at), 0) FROM assignment a WHERE a.rep_id = rep.id) FROM rep ORDER BY id"
        with self._db.connected():
            return {str(rep): at for rep, at in self._db.run(found).fetchall()}

    def newest(self) -> Sequence[int]:
        """Numbers that change with what managers and admins see: decisions, the waiting list, deadlines, dead letters, models,
        policies."""
        asked = (
            "SELECT COALESCE(MAX(id), 0) FROM decision",
            "SELECT COUNT(*) FROM waiting",
            "SELECT COALESCE(MAX(id), 0) FROM waiting",
            "SELECT COUNT(*) FROM timer WHERE state = 'fired'",
            "SELECT COUNT(*) FROM dead_letter WHERE state = 'open'",
            "SELECT COALESCE(MAX(id), 0) FROM dead_letter",
            "SELECT COUNT(*) FROM model_version",
            "SELECT COALESCE(MAX(id), 0) FROM model_version WHERE state = 'champion'",
            "SELECT COALESCE(MAX(id), 0) FROM published_policy",
        )
        with self._db.connected():
            return [int(self._db.run(one).fetchone()[0]) for one in asked]


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_ms(at)
