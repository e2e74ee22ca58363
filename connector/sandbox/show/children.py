"""Child processes of the demo: started with a clean environment, ended by their own ids, in order, however the demo ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).resolve().parents[3]


class DemoFailed(Exception):
    """The demo cannot go on. The text is one clear line; `log` is the file that tells more."""

    def __init__(self, text: str, log: Path | None = None) -> None:
        super().__init__(text)
        self.log = log


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log."""
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    except OSError:
        return ""


@dataclass
class Child:
    """One running process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@dataclass
class Children:
    """Starts and ends processes. The environment is made anew, so that no setting of the real service leaks in.

    Each child is a session of its own: Ctrl-C reaches the demo alone, which then ends them in order. A leashed child reads a
    pipe that breaks when the demo is killed outright.
    """

    logs: Path
    environment: Mapping[str, str]
    running: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._leash, self._hold = os.pipe()

    def start(self, name: str, arguments: Sequence[str], leashed: bool = False) -> Child:
        """Run `python ARGUMENTS` in the background, its output going to a log."""
        log = self.logs / f"{name}.log"
        passed = (self._leash,) if leashed else ()
        command = [sys.executable, *arguments, *(("--leash", str(self._leash)) if leashed else ())]
        with log.open("ab") as out:
            process = self._popen(command, out, passed)
        child = Child(name, process, log)
        self.running.append(child)
        return child

    def run(self, name: str, arguments: Sequence[str], show: bool = False, timeout_s: float = 120.0) -> str:
        """Run `python ARGUMENTS` to its end and return what it printed. `show` lets its progress through to this terminal.

        Raises `DemoFailed` when it fails or takes too long.
        """
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if show else out,
                env=dict(self.environment),
                cwd=ROOT,
                start_new_session=True,
            )
            self.running.append(Child(name, process, log))
            try:
                printed, _ = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise DemoFailed(f"`{name}` was not done within {timeout_s:.0f} s.", log) from None
            out.write(printed)
        self.running.pop()
        if process.returncode != 0:
            raise DemoFailed(f"`{name}` failed with exit code {process.returncode}.", log)
        return printed.decode(errors="replace")

    def _popen(self, command: Sequence[str], out: IO[bytes], passed: Sequence[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(self.environment),
            cwd=ROOT,
            pass_fds=tuple(passed),
            start_new_session=True,
        )

    def wait_for(self, child: Child, url: str, timeout_s: float = 40.0) -> None:
        """Until the address answers 200. Raises `DemoFailed` when the child dies or the time is up."""
        until = time.monotonic() + timeout_s
        with httpx.Client(trust_env=False, timeout=2) as client:
            while time.monotonic() < until:
                if not child.alive:
                    raise DemoFailed(f"{child.name} ended with exit code {child.process.returncode}.", child.log)
                try:
                    if client.get(url).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.1)
        raise DemoFailed(f"{child.name} did not answer at {url} within {timeout_s:.0f} s.", child.log)

    def end(self, grace_s: float = 30.0, say: Callable[[str], None] = lambda text: None) -> None:
        """Ask every child to end, the last started first; those that do not are killed."""
        for child in reversed(self.running):
            if child.alive:
                child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                say(f"{child.name} did not end by itself: killed")
                child.process.kill()
                child.process.wait()
        self.running.clear()
        for descriptor in (self._leash, self._hold):
            os.close(descriptor)
