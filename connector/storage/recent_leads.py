"""Which leads each rep was given lately. What is over five minutes old does not change any more, so that it is read only now and
then: among 200 reps a week's leads are thousands of rows, which every decision would otherwise read anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from allocation.rep import Taken
from connector.clock import from_ms, to_ms
from connector.storage.db import Database
from leads.enums import Tier

#: So old an assignment is surely committed; and so long what was read is good for.
SETTLED: Final = timedelta(minutes=5)
GOOD_FOR: Final = timedelta(minutes=15)
Given = Mapping[str, Sequence[Taken]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was given from `since` until before `until`, by rep."""

    since: datetime
    until: datetime
    given: Given


class RecentLeads:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: Kept | None = None

    def given(self, since: datetime, now: datetime) -> Given:
        """By rep id, the leads given since then, oldest first; of some reps a few older ones too."""
        kept = self._kept
        if kept is None or kept.since > since or not now - GOOD_FOR <= kept.until <= now:
            until = now - SETTLED
            kept = self._kept = Kept(since, until, self.between(since, until))
        fresh = self._read("opened_at >= ?", to_ms(kept.until))
        return {**kept.given, **{rep: (*kept.given.get(rep, ()), *taken) for rep, taken in fresh.items()}}

    def between(self, since: datetime, until: datetime) -> Given:
        """By rep id, the leads given since one moment and before another, oldest first."""
        return self._read("opened_at >= ? AND opened_at < ?", to_ms(since), to_ms(until))

    def forget(self, given_at: datetime) -> None:
        """A lead is given as of that moment: what was read is not good any more if it covers it."""
        if self._kept is not None and given_at < self._kept.until:
            self._kept = None

    def _read(self, where: str, *values: Any) -> dict[str, tuple[Taken, ...]]:
        statement = f"SELECT rep_id, opened_at, tier FROM assignment WHERE {where} ORDER BY opened_at"  # noqa: S608 - marks only
        tiers = {tier.value: tier for tier in Tier}
        found: dict[str, list[Taken]] = {}
        with self._db.connected():
            for rep_id, opened_at, tier in self._db.run(statement, *values).fetchall():
                found.setdefault(str(rep_id), []).append(Taken(from_ms(opened_at), tiers.get(tier, Tier.UNKNOWN)))
        return {rep: tuple(taken) for rep, taken in found.items()}
