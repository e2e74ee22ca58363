"""Turns at writing to an SQLite file, for all threads and processes of one installation.

SQLite lets a writer that waits sleep and poll, ever longer: under load a web process that wants one commit loses to a worker
that writes all the time. Waiting on a file lock wakes the waiter the moment the lock is free.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """One lock a database file, taken before the write lock of SQLite. A thread that has the turn may take it again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0
        self._file: int | None = None
        self._owner: int | None = None

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and hold it. The kernel gives it back when the process dies."""
        with self._threads:
            if self._depth == 0:
                fcntl.flock(self._open(), fcntl.LOCK_EX)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    fcntl.flock(self._open(), fcntl.LOCK_UN)

    def close(self) -> None:
        """Give back the file."""
        with self._threads:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _open(self) -> int:
        """This process's own handle: one inherited by a fork would share its parent's lock."""
        if self._file is None or self._owner != os.getpid():
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._owner = os.getpid()
        return self._file
