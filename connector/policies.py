"""The policy in force: the one published last, else the configured file, else the built-in one. Looked for again every two seconds,
so that publishing reaches every process without a restart."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from allocation.policy import DEFAULT_POLICY, Policy, parse_policy
from connector.clock import Clock
from connector.storage.policies import Policies

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = timedelta(seconds=2)


class PolicyShelf:
    """Where allocation finds its policy. `fault` says why the one published last is not the one in force, when that is so."""

    def __init__(self, published: Policies, path: Path, clock: Clock) -> None:
        self._published, self._path, self._clock = published, path, clock
        self._lock = threading.Lock()
        self._policy: Policy | None = None
        self._from = -1
        self._looked_at: datetime | None = None
        self.fault: str | None = None

    def current(self) -> Policy:
        """The policy in force. Raises `PolicyError` (a ValueError) when the configured file is wrong and nothing was published."""
        now = self._clock.now()
        with self._lock:
            if self._policy is None or self._looked_at is None or abs(now - self._looked_at) >= LOOK_EVERY:
                self._looked_at = now
                self._policy = self._look(self._policy)
            return self._policy

    def look_again(self) -> None:
        """Forget when it was looked last: something was published."""
        self._looked_at = None

    def _look(self, known: Policy | None) -> Policy:
        newest = self._published.newest_id()
        if known is not None and newest == self._from:
            return known
        found = self._published.newest() if newest else None
        if found is None:
            self._from = newest
            return file_policy(self._path)
        try:
            policy = parse_policy(found.text, f"published policy {found.version}")
        except ValueError as error:  # written for another version of the program
            self.fault = str(error)
            log.error("published policy not used", version=found.version, error=str(error))
            return known or file_policy(self._path)
        self._from, self.fault = newest, None
        return policy


def file_policy(path: Path) -> Policy:
    """The policy of a file, or the built-in one when there is none. Raises `PolicyError` (a ValueError) when it is wrong."""
    return parse_policy(path.read_text(encoding="utf-8"), str(path)) if path.exists() else DEFAULT_POLICY
