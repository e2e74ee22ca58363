"""The supervisor with real processes: restarts, leash, order, one a home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.pids import birth, read_pid

HARNESS = """
import sys
from pathlib import Path
from connector import supervisor
from connector.errors import LeadswitchError
from connector.settings import read_settings

here = {"HOME": sys.argv[1], "REDIS_URL": "redis://unused", "BIND": "127.0.0.1:" + sys.argv[2]}
settings = read_settings({"LEADSWITCH_" + name: value for name, value in here.items()})
child = (sys.executable, "-c", Path(sys.argv[3]).read_text())
try:
    sys.exit(supervisor.Supervisor(settings, [supervisor.Child("one", child)], prepare=None).run())
except LeadswitchError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""
STEADY = """
import sys, threading
from connector.supervisor import follow
follow(int(sys.argv[2]))
print("born", flush=True)
threading.Event().wait()
"""
DEAF = """
import signal, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
threading.Event().wait()
"""
Wait = Callable[..., Any]


class Running:
    """One supervisor in a process of its own, and what it has printed."""

    def __init__(self, home: Path, port: int, child: str) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        script = home / "child.py"
        script.write_text(child)
        self.log = home / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", HARNESS, str(home), str(port), str(script)], stderr=log)

    def text(self) -> str:
        return self.log.read_text()

    def child(self) -> int | None:
        return read_pid(self.home / "run" / "one.pid")


@pytest.fixture
def start(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[[str], Running]]:
    started: list[Running] = []

    def begin(child: str) -> Running:
        started.append(Running(tmp_path / f"home{len(started)}", free_port(), child))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.terminate()
            running.process.wait(timeout=30)


def test_what_dies_is_started_again_and_the_end_is_orderly(start: Callable[[str], Running], eventually: Wait) -> None:
    running = start(STEADY)
    first = eventually(running.child)
    eventually(lambda: "born" in running.text())
    os.kill(first, signal.SIGKILL)
    second = eventually(lambda: (pid := running.child()) != first and pid)
    eventually(lambda: running.text().count("born") == 2)
    assert "one    | died (SIGKILL); starting again" in running.text()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 0
    assert birth(second) == ""
    assert not (running.home / "run" / "one.pid").exists()
    assert (running.home / "leadswitch.pid").read_text() == ""


def test_no_child_outlives_a_killed_supervisor(start: Callable[[str], Running], eventually: Wait) -> None:
    running = start(STEADY)
    child = eventually(running.child)
    eventually(lambda: "born" in running.text())
    running.process.kill()
    running.process.wait(timeout=5)
    eventually(lambda: birth(child) == "", what="the child saw that its supervisor is gone")


def test_a_deaf_leftover_of_a_killed_supervisor_is_ended_by_the_next(start: Callable[[str], Running], eventually: Wait) -> None:
    running = start(DEAF)
    child = eventually(running.child)
    eventually(lambda: "deaf" in running.text())
    running.process.kill()
    running.process.wait(timeout=5)
    assert birth(child), "a child without a leash goes on"
    again = Running(running.home, 1, STEADY)
    try:
        eventually(lambda: f"ended process {child}, left over" in again.text())
        assert birth(child) == ""
        eventually(lambda: "born" in again.text())
    finally:
        again.process.terminate()
        again.process.wait(timeout=10)


def test_one_home_has_one_supervisor(start: Callable[[str], Running], eventually: Wait) -> None:
    running = start(STEADY)
    eventually(running.child)
    command = [sys.executable, "-c", HARNESS, str(running.home), "1", str(running.home / "child.py")]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert second.returncode == 1
    assert f"already runs in {running.home} (process {running.process.pid})" in second.stderr
    assert running.process.poll() is None


def test_dying_again_and_again_is_shouted_and_slows_down(start: Callable[[str], Running], eventually: Wait) -> None:
    running = start("raise SystemExit(7)")
    eventually(lambda: "WARNING: died 5 times within 60 s" in running.text(), timeout=20)
    pauses = [line.rpartition("in ")[2] for line in running.text().splitlines() if "died (exit code 7)" in line]
    assert pauses[:5] == ["0.2 s", "0.4 s", "0.8 s", "1.6 s", "3.2 s"]
    assert running.process.poll() is None


def test_a_child_that_refuses_its_configuration_ends_everything_with_2(start: Callable[[str], Running]) -> None:
    running = start("import sys; print('bind: no such address', file=sys.stderr); sys.exit(2)")
    assert running.process.wait(timeout=10) == 2
    assert "bind: no such address" in running.text()
    assert "refuses its configuration" in running.text()
