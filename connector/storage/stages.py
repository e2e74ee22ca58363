"""How far leads have come through the stages, without who they are: what scoring asks before and after, of one lead or of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import to_ms
from connector.storage.columns import is_id
from connector.storage.db import Database, marks
from leads.enums import Outcome, Tier

COLUMNS = "id, version, scored_version, allocated_version, routable, outcome, owner_id, announced_score, announced_tier"


@dataclass(frozen=True, slots=True)
class Passage:
    """How far a lead has come. `shown` and `shown_tier` are what was last written back and shown."""

    lead_id: int
    version: int
    scored_version: int
    allocated_version: int
    routable: bool
    ended: bool
    owned: bool
    shown: int | None
    shown_tier: Tier

    @property
    def waits(self) -> bool:
        """Whether the pipeline is about to score or allocate it anyhow."""
        return self.routable and (self.scored_version < self.version or self.allocated_version < self.scored_version)


class Stages:
    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, lead_id: int) -> Passage | None:
        """How far the lead has come, or the one it was merged into; None when it is not there or erased."""
        if not is_id(lead_id):
            return None
        with self._db.connected():
            found = self._db.run("SELECT merged_into FROM lead WHERE id = ?", lead_id).fetchone()
            while found is not None and found[0] is not None:
                lead_id = found[0]
                found = self._db.run("SELECT merged_into FROM lead WHERE id = ?", lead_id).fetchone()
            return next(iter(self._read([lead_id])), None)

    def lock(self, lead_ids: Sequence[int]) -> list[Passage]:
        """How far these leads have come, locked until the end of the caller's transaction; erased and merged ones are left out."""
        return self._read(lead_ids, "" if self._db.is_sqlite else " FOR UPDATE")

    def versions(self, lead_ids: Sequence[int]) -> dict[int, int]:
        """The version of each of these leads."""
        if not lead_ids:
            return {}
        return dict(self._db.run(f"SELECT id, version FROM lead WHERE id IN ({marks(lead_ids)})", *lead_ids).fetchall())  # noqa: S608

    def count(self) -> int:
        """How many leads the base has."""
        with self._db.connected():
            return int(self._db.run("SELECT COUNT(*) FROM lead WHERE merged_into IS NULL AND NOT erased").fetchone()[0])

    def everybody(self, batch: int) -> Iterator[list[int]]:
        """The ids of the whole base, in batches, by id: leads that come meanwhile are at the end."""
        after = 0
        while ids := self._ids("merged_into IS NULL AND NOT erased AND id > ?", after, batch):
            yield ids
            after = ids[-1]

    def stale(self, before: datetime, limit: int) -> list[int]:
        """Open leads in somebody's hands whose score is of before this moment."""
        idle = "routable AND outcome = 'open' AND merged_into IS NULL AND scored_version >= version"
        old = "EXISTS (SELECT 1 FROM score WHERE score.id = lead.score_id AND score.as_of < ?)"
        return self._ids(f"{idle} AND {old}", to_ms(before), limit)

    def let_stand(self, lead_ids: Sequence[int]) -> None:
        """Let the newest score of each of these leads be the one that stands."""
        if lead_ids:
            newest = "UPDATE lead SET score_id = (SELECT MAX(score.id) FROM score WHERE score.lead_id = lead.id)"
            self._db.run(f"{newest} WHERE id IN ({marks(lead_ids)})", *lead_ids)

    def count_on(self, lead_ids: Sequence[int]) -> None:
        """Count the versions of these leads on, as scored and not yet allocated: the next stage then tells of the news."""
        if lead_ids:
            on = "UPDATE lead SET version = version + 1, scored_version = version + 1"
            self._db.run(f"{on} WHERE id IN ({marks(lead_ids)})", *lead_ids)

    def _read(self, lead_ids: Sequence[int], lock: str = "") -> list[Passage]:
        if not lead_ids:
            return []
        alive = f"id IN ({marks(lead_ids)}) AND NOT erased AND merged_into IS NULL"
        found = self._db.run(f"SELECT {COLUMNS} FROM lead WHERE {alive} ORDER BY id{lock}", *lead_ids).fetchall()  # noqa: S608
        return [
            Passage(
                lead_id,
                version,
                scored,
                allocated,
                bool(routable),
                outcome in (Outcome.WON.value, Outcome.LOST.value),
                owner is not None,
                shown,
                Tier.read(tier),
            )
            for lead_id, version, scored, allocated, routable, outcome, owner, shown, tier in found
        ]

    def _ids(self, where: str, value: int, limit: int) -> list[int]:
        with self._db.connected():
            read = f"SELECT id FROM lead WHERE {where} ORDER BY id LIMIT {int(limit)}"  # noqa: S608
            return [lead_id for (lead_id,) in self._db.run(read, value).fetchall()]
