"""What playbooks remember: which were published, how leads stood, and every run with the steps it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import Clock, to_ms
from connector.storage.db import Database
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import PlaybookLook as LookRow
from connector.storage.models import PlaybookRun as RunRow
from connector.storage.models import PlaybookStep as StepRow
from connector.storage.models import PublishedPlaybooks as PublishedRow
from connector.storage.spelled import first, insert, rows, set_where, upsert
from leads.enums import EngagementKind, Tier

#: New acts of a lead that one look reads.
ACTS = 500


@dataclass(frozen=True, slots=True)
class Published:
    """One publishing; `version` is the hash of its content."""

    id: int
    version: str
    text: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """How a lead stood when it was last looked at; None and UNKNOWN for what it had not yet."""

    looked_at: datetime | None = None
    score: int | None = None
    tier: Tier = Tier.UNKNOWN
    stage: str = ""
    engagement_id: int = 0


@dataclass(frozen=True, slots=True)
class NewAct:
    """An act that was stored since the last look, by its id."""

    id: int
    kind: EngagementKind
    at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `position` is that of its next step, `plan` the playbook's table as it was when the run began."""

    id: int
    playbook: str
    lead_id: int
    number: int
    cause: str
    plan: Mapping[str, Any]
    position: int
    state: str
    due_at: datetime | None
    started_at: datetime
    seen_id: int
    ended_at: datetime | None
    ended_as: str | None


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One step of a run's history."""

    position: int
    at: datetime
    step: str
    result: str


class PlaybookRows:
    """The repository. Callers that write runs hold the transaction and the lead's lock."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    # -- publishing

    def publish(self, version: str, text: str, actor: str, reason: str) -> None:
        """Put checked playbooks in force, and look at every lead anew, within the caller's transaction."""
        now = self._clock.now()
        insert(self._db, PublishedRow, {"version": version, "text": text, "actor": actor, "reason": reason, "at": now})
        self._db.run("UPDATE playbook_look SET due_at = ?", to_ms(now))
        self._db.run(
            "INSERT INTO playbook_look (lead_id, due_at, engagement_id) SELECT id, ?, 0 FROM lead"
            " WHERE routable AND NOT erased AND merged_into IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM playbook_look l WHERE l.lead_id = lead.id)",
            to_ms(now),
        )

    def newest_id(self) -> int:
        """The number of the newest publishing, 0 before the first: cheap to ask."""
        with self._db.connected():
            return int(self._db.run("SELECT COALESCE(MAX(id), 0) FROM published_playbooks").fetchone()[0])

    def published(self) -> list[Published]:
        """Every publishing, the newest first."""
        found = rows(self._db, PublishedRow, "ORDER BY id DESC")
        return [Published(row.id, row.version, row.text, row.actor, row.reason, row.at) for row in found]

    # -- looks

    def ask_look(self, lead_id: int) -> None:
        """Ask, within the caller's transaction, that playbooks look at a lead."""
        upsert(self._db, LookRow, {"lead_id": lead_id, "due_at": self._clock.now()}, key=("lead_id",))

    def looks_due(self, limit: int) -> list[int]:
        """Leads that are to be looked at, the longest due first."""
        now = to_ms(self._clock.now())
        with self._db.connected():
            due = "SELECT lead_id FROM playbook_look WHERE due_at IS NOT NULL AND due_at <= ? ORDER BY due_at LIMIT ?"
            return [lead_id for (lead_id,) in self._db.run(due, now, limit).fetchall()]

    def take_look(self, lead_id: int) -> bool:
        """Take a due look within the caller's transaction; false when another was quicker."""
        taken = "UPDATE playbook_look SET due_at = NULL WHERE lead_id = ? AND due_at <= ? RETURNING id"
        return self._db.run(taken, lead_id, to_ms(self._clock.now())).fetchone() is not None

    def mark(self, lead_id: int) -> Mark | None:
        """How the lead stood at the last look; None before the first."""
        row = first(self._db, LookRow, "WHERE lead_id = ? AND looked_at IS NOT NULL", lead_id)
        return Mark(row.looked_at, row.score, Tier.read(row.tier), row.stage or "", row.engagement_id) if row else None

    def save_mark(self, lead_id: int, mark: Mark, due_at: datetime | None) -> None:
        """Remember how the lead stands, and when time alone may make something of it."""
        told = {"looked_at": mark.looked_at, "score": mark.score, "tier": mark.tier.value, "stage": mark.stage}
        wanted = {"lead_id": lead_id, **told, "engagement_id": mark.engagement_id, "due_at": due_at}
        upsert(self._db, LookRow, wanted, key=("lead_id",))

    def put_off_look(self, lead_id: int, until: datetime) -> None:
        """Leave a look that broke alone until then."""
        set_where(self._db, LookRow, {"due_at": until}, "lead_id = ?", lead_id)

    def note_stage(self, lead_id: int, stage: str) -> None:
        """A run moved the lead to this stage itself: when the CRM tells of it, that is no news."""
        set_where(self._db, LookRow, {"stage": stage}, "lead_id = ?", lead_id)

    def acts_since(self, lead_id: int, engagement_id: int) -> tuple[list[NewAct], int]:
        """Acts of people that were stored since, in the order they came, and the id up to which this goes."""
        found = rows(self._db, EngagementRow, f"WHERE lead_id = ? AND id > ? ORDER BY id LIMIT {ACTS}", lead_id, engagement_id)
        acts = [NewAct(row.id, EngagementKind.read(row.kind), row.occurred_at) for row in found if not row.machine]
        return acts, max([engagement_id, *(row.id for row in found)])

    def scored_since(self, since: datetime) -> list[int]:
        """Leads that were scored since then: those that a dry run has something to say of."""
        with self._db.connected():
            found = self._db.run("SELECT DISTINCT lead_id FROM score WHERE as_of >= ? ORDER BY lead_id", to_ms(since)).fetchall()
            return [lead_id for (lead_id,) in found]

    # -- runs

    def start(self, playbook: str, lead_id: int, number: int, cause: str, plan: Mapping[str, Any], seen_id: int) -> int:
        """Start a run, due at once; 0 when this number or this cause had one."""
        now = self._clock.now()
        told = {"playbook": playbook, "lead_id": lead_id, "number": number, "cause": cause, "plan": dict(plan)}
        return insert(self._db, RunRow, {**told, "seen_id": seen_id, "started_at": now, "due_at": now}, unless="DO NOTHING")

    def last(self, playbook: str, lead_id: int) -> Run | None:
        """The newest run of a playbook for a lead."""
        row = first(self._db, RunRow, "WHERE lead_id = ? AND playbook = ? ORDER BY number DESC", lead_id, playbook)
        return _run(row) if row else None

    def runs_due(self, limit: int) -> list[Run]:
        """Runs whose next step is due, the longest due first."""
        now = to_ms(self._clock.now())
        found = rows(self._db, RunRow, "WHERE state = 'running' AND due_at <= ? ORDER BY due_at, id LIMIT ?", now, limit)
        return [_run(row) for row in found]

    def take_run(self, run_id: int) -> Run | None:
        """The due run as it stands, taken within the caller's transaction; None when another was quicker."""
        taken = "UPDATE playbook_run SET due_at = NULL WHERE id = ? AND state = 'running' AND due_at <= ? RETURNING id"
        if self._db.run(taken, run_id, to_ms(self._clock.now())).fetchone() is None:
            return None
        return self.get(run_id)

    def get(self, run_id: int) -> Run | None:
        row = first(self._db, RunRow, "WHERE id = ?", run_id)
        return _run(row) if row else None

    def move(self, run_id: int, position: int, due_at: datetime) -> None:
        """Let a run go on at this step, at that moment."""
        set_where(self._db, RunRow, {"position": position, "due_at": due_at}, "id = ?", run_id)

    def put_off_run(self, run: Run, until: datetime) -> None:
        """Leave a run that broke alone until then, unless another worker carried it on meanwhile."""
        still = "id = ? AND state = 'running' AND position = ? AND due_at <= ?"
        set_where(self._db, RunRow, {"due_at": until}, still, run.id, run.position, to_ms(self._clock.now()))

    def end(self, run_id: int, state: str, ended_as: str) -> None:
        """The run is over: done, or stopped and why."""
        over = {"state": state, "ended_as": ended_as[:40], "ended_at": self._clock.now(), "due_at": None}
        set_where(self._db, RunRow, over, "id = ? AND state = 'running'", run_id)

    def running(self, lead_id: int) -> list[Run]:
        """The runs of a lead that are under way."""
        return [_run(row) for row in rows(self._db, RunRow, "WHERE lead_id = ? AND state = 'running' ORDER BY id", lead_id)]

    def of_lead(self, lead_id: int) -> list[Run]:
        """Every run of a lead, the oldest first."""
        return [_run(row) for row in rows(self._db, RunRow, "WHERE lead_id = ? ORDER BY id", lead_id)]

    def newest(self, playbook: str | None, limit: int) -> list[Run]:
        """Runs, the newest first; of one playbook, when asked."""
        about: tuple[str, tuple[Any, ...]] = ("WHERE playbook = ?", (playbook,)) if playbook else ("", ())
        return [_run(row) for row in rows(self._db, RunRow, f"{about[0]} ORDER BY id DESC LIMIT ?", *about[1], limit)]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many runs there are by (playbook, state)."""
        with self._db.connected():
            found = self._db.run("SELECT playbook, state, COUNT(*) FROM playbook_run GROUP BY playbook, state").fetchall()
            return {(playbook, state): count for playbook, state, count in found}

    # -- steps

    def note(self, run_id: int, position: int, step: str, result: str) -> None:
        """Keep what came of a step. A second time for the same step is refused by the database."""
        told = {"run_id": run_id, "position": position, "at": self._clock.now(), "step": step, "result": result[:120]}
        insert(self._db, StepRow, told)

    def steps(self, run_ids: Sequence[int]) -> dict[int, list[StepTaken]]:
        """What each run did, in order."""
        taken: dict[int, list[StepTaken]] = {run_id: [] for run_id in run_ids}
        for run_id in run_ids:
            found = rows(self._db, StepRow, "WHERE run_id = ? ORDER BY position", run_id)
            taken[run_id] = [StepTaken(row.position, row.at, row.step, row.result) for row in found]
        return taken


def _run(row: RunRow) -> Run:
    return Run(
        row.id,
        row.playbook,
        row.lead_id,
        row.number,
        row.cause,
        row.plan,
        row.position,
        row.state,
        row.due_at,
        row.started_at,
        row.seen_id,
        row.ended_at,
        row.ended_as,
    )
