"""Process ids that can be trusted: a number alone may belong to somebody else by now, a number and a birth cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def command_line(pid: int) -> str:
    """The command line of a process, its parts joined by spaces; empty when there is no such process."""
    if PROC.is_dir():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return _ps(pid, "command=")


def birth(pid: int) -> str:
    """When the process began, in the machine's own words; empty when there is no such process or only its zombie."""
    if PROC.is_dir():
        try:
            fields = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]  # field 22 of proc(5), counted from the state
    return _ps(pid, "lstart=")


def _ps(pid: int, column: str) -> str:
    return subprocess.run(["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()


def write_pid(path: Path, pid: int) -> None:
    """Note a process, so that a later run can find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{pid} {birth(pid)}\n", encoding="ascii")


def read_pid(path: Path) -> int | None:
    """The noted process if that very one still runs."""
    try:
        number, _, born = path.read_text(encoding="ascii").strip().partition(" ")
        pid = int(number)
    except (OSError, ValueError):
        return None
    return pid if born and birth(pid) == born else None


def end_leftover(path: Path, timeout_s: float = 5.0) -> int | None:
    """End the noted process if it still runs: SIGTERM, then SIGKILL. Returns its id when there was one."""
    pid = read_pid(path)
    if pid is None:
        path.unlink(missing_ok=True)
        return None
    deadline = time.monotonic() + timeout_s
    _signal(pid, signal.SIGTERM)
    while read_pid(path) is not None:
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.05)
    path.unlink(missing_ok=True)
    return pid


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
