"""The guard of tests/conftest.py itself: it must stop a unit test that goes to the network, and the bare-machine rule must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"


def run(folder: Path, test: str, **environment: str) -> subprocess.CompletedProcess[str]:
    place = folder / "tests" / "unit"
    place.mkdir(parents=True)
    (folder / "tests" / "conftest.py").write_text(CONFTEST.read_text())
    (place / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs_node: x\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment)


@pytest.mark.parametrize(
    "line",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socket().connect_ex(('127.0.0.1', 9))",
        "socket.getaddrinfo('example.com', 80)",
    ],
)
def test_unit_tests_cannot_reach_the_network(tmp_path: Path, line: str) -> None:
    done = run(tmp_path, f"import socket\ndef test_it():\n    {line}\n")
    assert done.returncode == 1
    assert "NetworkUsed" in done.stdout


BARE = "import pytest\n@pytest.mark.needs_node\ndef test_it():\n    assert True\n"


def test_what_a_bare_machine_lacks_is_skipped_and_listed(tmp_path: Path) -> None:
    done = run(tmp_path, BARE, LEADSWITCH_NODE_TOOLS=str(tmp_path), LEADSWITCH_TEST_REQUIRE="")
    assert done.returncode == 0
    assert "left out on this machine" in done.stdout
    assert "needs_node" in done.stdout


def test_what_is_lacking_fails_when_everything_is_required(tmp_path: Path) -> None:
    done = run(tmp_path, BARE, LEADSWITCH_NODE_TOOLS=str(tmp_path), LEADSWITCH_TEST_REQUIRE="all")
    assert done.returncode == 1
    assert "LEADSWITCH_TEST_REQUIRE=all" in done.stdout
