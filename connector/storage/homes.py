"""Who has opened Slack's App Home, and what they were last shown: only they are kept up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock, to_ms
from connector.storage.db import Database
from connector.storage.models import HomeViewer as Row
from connector.storage.spelled import first, rows, set_where, upsert
from leads.enums import Role


@dataclass(frozen=True, slots=True)
class Viewer:
    """A Slack user who has opened Home. `mark` is what stood when the last view was asked for; `shown` a hash of that view."""

    user: str
    rep_id: str | None
    role: Role
    mark: str
    shown: str


class Homes:
    """The repository of viewers."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def opened(self, user: str, rep_id: str | None, role: Role) -> None:
        """Somebody looks at Home: whatever stood there before is shown anew."""
        told = {"slack_user": user, "rep_id": int(rep_id) if rep_id else None, "role": role.value, "opened_at": self._clock.now()}
        with self._db.transaction():
            upsert(self._db, Row, {**told, "mark": "", "shown": ""}, key=("slack_user",))

    def watching(self, since: datetime) -> list[Viewer]:
        """Those who opened it since then."""
        return [_viewer(row) for row in rows(self._db, Row, "WHERE opened_at >= ? ORDER BY id", to_ms(since))]

    def get(self, user: str) -> Viewer | None:
        row = first(self._db, Row, "WHERE slack_user = ?", user)
        return _viewer(row) if row else None

    def note(self, user: str, *, mark: str | None = None, shown: str | None = None) -> None:
        """Remember what a view was asked for, or what was shown."""
        told = {name: value for name, value in (("mark", mark), ("shown", shown)) if value is not None}
        with self._db.transaction():
            set_where(self._db, Row, told, "slack_user = ?", user)


def _viewer(row: Row) -> Viewer:
    return Viewer(row.slack_user, str(row.rep_id) if row.rep_id is not None else None, Role.read(row.role), row.mark, row.shown)
