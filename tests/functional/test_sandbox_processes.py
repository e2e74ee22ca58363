"""The stand-ins as processes: each starts from its command line, and none outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from connector.sandbox.show.children import Children, DemoFailed, free_ports

COMMANDS = {
    "hubspot": ["--token", "t", "--history", "20"],
    "sendgrid": [],
    "slack": ["--token", "t", "--base-url", "http://127.0.0.1:1"],
    "llm": ["--key", "k"],
}


def test_each_starts_answers_and_ends_with_its_leash() -> None:
    leash, hold = os.pipe()
    started = []
    for (name, arguments), port in zip(COMMANDS.items(), free_ports(4), strict=True):
        command = [sys.executable, "-m", "connector.sandbox", name, "--port", str(port), "--leash", str(leash), *arguments]
        started.append((name, port, subprocess.Popen(command, pass_fds=(leash,))))
    os.close(leash)
    try:
        for name, port, process in started:
            path = "state" if name == "slack" else "summary"
            wait_for(process, f"http://127.0.0.1:{port}/sandbox/{path}")
    finally:
        os.close(hold)
    for _, _, process in started:
        assert process.wait(15) in (0, -15)


def wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    until, pause = time.monotonic() + 40, threading.Event()
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pause.wait(0.1)
    raise AssertionError(f"{url} did not answer")


def test_a_command_that_fails_is_told_with_its_log(tmp_path: Path) -> None:
    children = Children(tmp_path, {"PATH": os.defpath})
    try:
        with pytest.raises(DemoFailed) as failure:
            children.run("broken", ["-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])
        assert failure.value.log is not None
        assert "why" in failure.value.log.read_text()
        assert children.run("fine", ["-c", "print('hello')"]) == "hello\n"
    finally:
        children.end()
