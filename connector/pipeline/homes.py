"""Keeps App Homes up to date: what has changed for somebody who opened Home asks, once, that their view be published anew.

Nothing that happens has to think of Home: every second the marks of what stands are compared with those of the last views. Changes
that come fast become one view every few seconds, and nobody's view costs anything who never opened Home.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from connector.pipeline.alerts import SLACK
from connector.pipeline.roster import moment_of
from leads.enums import EffectKind, Role

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.reps import StoredRep

#: Who has not opened Home for so long is not kept up to date; opening it starts it again.
WATCHING: Final = timedelta(days=7)
#: A person's view is published at most so often. With a second of looking it stays below the five that a change may take.
PAUSE_S: Final = 3.0
OVERSEERS: Final = (Role.MANAGER, Role.ADMIN)


def ask_home(house: House, user: str) -> None:
    """Ask that a user's Home be published, and ring for it."""
    with house.db.transaction():
        house.effects.add(EffectKind.SLACK_HOME, SLACK, f"home:{user}", None, {"user": user})
        house.db.after_commit(lambda: house.queue.ring_deliver(SLACK))


class HomeWatch:
    """Remembers when it last asked for whom."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._asked: dict[str, float] = {}

    def turn(self) -> int:
        """One look; returns how many views were asked for."""
        house = self._house
        now = house.clock.now()
        viewers = house.homes.watching(now - WATCHING) if house.slack_configured else []
        if not viewers:
            return 0
        reps, queues = house.reps.all(), house.standings.marks()
        teams = _team_marks(reps, house.standings.given())
        policy, wide = house.policy.version, ""
        if any(viewer.role in OVERSEERS for viewer in viewers):
            wide = repr((house.standings.newest(), house.effects.on_its_way(), queues, teams))
        asked = 0
        for viewer in viewers:
            rep = next((rep for rep in reps if rep.id == viewer.rep_id), None)
            own = (_self_mark(rep, now), queues.get(rep.id), teams[rep.team]) if rep else None
            mark = _hash((own, policy, wide if viewer.role in OVERSEERS else ""))
            if mark == viewer.mark or now.timestamp() - self._asked.get(viewer.user, 0.0) < PAUSE_S:
                continue
            self._asked[viewer.user] = now.timestamp()
            house.homes.note(viewer.user, mark=mark)
            ask_home(house, viewer.user)
            asked += 1
        return asked


def _team_marks(reps: Sequence[StoredRep], given: Mapping[str, int]) -> dict[str, str]:
    """For each team, a text that changes with who is in it, with their weights, and with what they were given."""
    teams: dict[str, list[object]] = {}
    for rep in reps:
        weight, mutes = rep.settings.get("weight"), rep.settings.get("mutes")
        teams.setdefault(rep.team, []).append((rep.id, rep.name, rep.active, weight, mutes, given.get(rep.id)))
    return {team: repr(members) for team, members in teams.items()}


def _self_mark(rep: StoredRep, now: datetime) -> object:
    """What a rep has set, and whether a pause, which ends by itself, goes on."""
    until = rep.settings.get("paused_until")
    return rep.settings, rep.active, bool(until and moment_of(until) > now)


def _hash(stands: object) -> str:
    return hashlib.sha256(repr(stands).encode()).hexdigest()[:40]
