"""What the tests of the command line share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connector.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`run("tokens", "list")` → (exit code, stdout, stderr), in an installation of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("connector.logs.set_up_logs", lambda level: None)  # it would keep this test's stderr for good

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["leadswitch", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    with capture_logs():
        yield call
