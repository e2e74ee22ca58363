"""Process ids: the very process and nobody who got its number later."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.pids import birth, command_line, end_leftover, read_pid, write_pid

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ignores SIGTERM."""
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_is_known_by_its_birth(tmp_path: Path) -> None:
    note = tmp_path / "run" / "web.pid"
    write_pid(note, os.getpid())
    assert read_pid(note) == os.getpid()
    assert "python" in command_line(os.getpid())


def test_a_later_owner_of_the_number_is_not_taken_for_it(tmp_path: Path) -> None:
    note = tmp_path / "web.pid"
    note.write_text(f"{os.getpid()} 1\n")
    assert read_pid(note) is None
    assert end_leftover(note) is None, "this very test process would have been ended"
    assert not note.exists()


@pytest.mark.parametrize("text", ["", "x", "12", "999999999 5"])
def test_a_note_that_says_nothing_names_no_process(tmp_path: Path, text: str) -> None:
    note = tmp_path / "web.pid"
    note.write_text(text)
    assert read_pid(note) is None


def test_a_leftover_that_does_not_listen_is_killed(tmp_path: Path, deaf: subprocess.Popen[bytes]) -> None:
    note = tmp_path / "web.pid"
    write_pid(note, deaf.pid)
    assert end_leftover(note, timeout_s=0.2) == deaf.pid
    assert deaf.wait(timeout=5) == -9
    assert birth(deaf.pid) == ""
