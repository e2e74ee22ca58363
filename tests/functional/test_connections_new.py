"""`leadswitch connections new`: what it lays down passes the contract suite as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_of_ones_own_passes_the_suite(tmp_path: Path) -> None:
    made = run("connector", "connections", "new", "acme_mail", "--title", "Acme Mail", "--into", "mine", "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    written = {Path(row["written"]).name for row in json.loads(made.stdout)}
    assert {"webhook.py", "doc.md", "quality.toml", "signing.py", "test_contract.py", "pyproject.toml"} <= written
    tried = run("pytest", "-q", "-p", "no:cacheprovider", "tests", folder=tmp_path / "mine")
    assert tried.returncode == 0, tried.stdout
    assert " passed" in tried.stdout


def test_nothing_is_written_over(tmp_path: Path) -> None:
    for expected in (0, 2):
        made = run("connector", "connections", "new", "acme", "--into", ".", folder=tmp_path)
        assert made.returncode == expected
    assert "is there already" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Acme!", "--into", "."), "is no name"),
        (("sendgrid", "--into", "."), "already"),
        (("acme",), "no checkout"),
    ],
)
def test_wrong_calls(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    made = run("connector", "connections", "new", *arguments, folder=tmp_path)
    assert (made.returncode, list(tmp_path.iterdir())) == (2, [])
    assert said in made.stderr


def test_in_a_checkout_the_registry_and_the_suite_find_it(tmp_path: Path) -> None:
    (tmp_path / "tests/fixtures").mkdir(parents=True)
    (tmp_path / "connector/adapters").mkdir(parents=True)
    from connector.cli.new_adapter import lay_down

    written = lay_down("acme", "Acme", None, tmp_path)
    assert tmp_path / "connector/adapters/acme/webhook.py" in written
    assert tmp_path / "tests/fixtures/acme/signing.py" in written
    assert "from connector.adapters.acme.webhook import" in (tmp_path / "connector/adapters/acme/__init__.py").read_text()
