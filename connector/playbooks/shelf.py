"""The playbooks in force: those published last. Looked for again every two seconds, as the policy is."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

import structlog

from connector.clock import Clock
from connector.playbooks.plan import Playbook
from connector.playbooks.reading import NONE, Playbooks, parse_playbooks
from connector.storage.playbooks import PlaybookRows

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = timedelta(seconds=2)


class PlaybookShelf:
    """Where the engine finds its playbooks. `fault` says why those published last are not in force, when that is so."""

    def __init__(self, stored: PlaybookRows, clock: Clock) -> None:
        self._stored, self._clock = stored, clock
        self._lock = threading.Lock()
        self._playbooks = NONE
        self._since: dict[str, datetime] = {}
        self._from = 0
        self._looked_at: datetime | None = None
        self.fault: str | None = None

    def current(self) -> Playbooks:
        """The playbooks in force; none before the first were published."""
        now = self._clock.now()
        with self._lock:
            if self._looked_at is None or abs(now - self._looked_at) >= LOOK_EVERY:
                self._looked_at = now
                self._look()
            return self._playbooks

    def is_withdrawn(self, name: str) -> bool:
        """Whether a playbook is surely not in force any more. What another process published a moment ago is looked for first; a
        file that cannot be read withdraws nothing."""
        if self._is_in_force(name):
            return False
        self.look_again()
        return not self._is_in_force(name) and self.fault is None

    def _is_in_force(self, name: str) -> bool:
        found = self.current().by_name.get(name)
        return found is not None and found.enabled

    def since(self, playbook: Playbook) -> datetime:
        """When a playbook of this name began to hold with the `when` it has now."""
        with self._lock:
            return self._since[playbook.name]

    def look_again(self) -> None:
        """Forget when it was looked last: something was published."""
        self._looked_at = None

    def _look(self) -> None:
        newest = self._stored.newest_id()
        if newest == self._from:
            return
        published = self._stored.published()
        try:
            playbooks = parse_playbooks(published[0].text, f"published playbooks {published[0].version}")
        except ValueError as error:  # written for another version of the program
            self.fault, self._from = str(error), newest
            log.error("published playbooks not used", version=published[0].version, error=str(error))
            return
        since = dict.fromkeys(playbooks.by_name, published[0].at)
        unchanged = set(since)
        for older in published[1:]:
            known = _readable(older.text)
            unchanged = {name for name in unchanged if name in known and known[name].when == playbooks.by_name[name].when}
            since |= dict.fromkeys(unchanged, older.at)
            if not unchanged:
                break
        self._playbooks, self._since, self._from, self.fault = playbooks, since, newest, None


def _readable(text: str) -> dict[str, Playbook]:
    try:
        return dict(parse_playbooks(text).by_name)
    except ValueError:
        return {}
