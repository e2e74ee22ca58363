"""Keeps App Homes up to date: what has changed for somebody who opened Home asks, once, that their view be published anew.

Nothing that happens has to think of Home: every second the marks of what stands are compared with those of the last views. Changes
that come fast become one view every few seconds, and nobody's view costs anything who never opened Home.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from connector.pipeline.alerts import SLACK
from connector.pipeline.roster import moment_of
from leads.enums import EffectKind, Role

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.homes import Viewer

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
        queues = house.standings.marks()
        wide = repr((house.standings.newest(), queues)) if any(viewer.role in OVERSEERS for viewer in viewers) else ""
        asked = 0
        for viewer in viewers:
            mark = self._mark(viewer, queues, wide, now)
            if mark == viewer.mark or now.timestamp() - self._asked.get(viewer.user, 0.0) < PAUSE_S:
                continue
            self._asked[viewer.user] = now.timestamp()
            house.homes.note(viewer.user, mark=mark)
            ask_home(house, viewer.user)
            asked += 1
        return asked

    def _mark(self, viewer: Viewer, queues: Mapping[str, str], wide: str, now: datetime) -> str:
        """What stands for a person, as a hash."""
        rep = self._house.reps.get(viewer.rep_id) if viewer.rep_id else None
        away = bool(rep and rep.settings.get("paused_until") and moment_of(rep.settings["paused_until"]) > now)  # ends by itself
        own = (rep.settings, rep.active, away, queues.get(rep.id)) if rep else None
        stands = repr((own, wide if viewer.role in OVERSEERS else ""))
        return hashlib.sha256(stands.encode()).hexdigest()[:40]
