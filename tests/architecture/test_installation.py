"""What a newcomer installs from: the locks, the Makefile's promises, the packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.txt", "requirements-dev.txt")


def locked(name: str) -> dict[str, str]:
    """The pinned packages of a lock and, for each, its whole entry."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
    return {re.split(r"[=\[ ;]", entry, maxsplit=1)[0].lower(): entry for entry in entries}


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed_and_no_address_is_written(name: str) -> None:
    for package, entry in locked(name).items():
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", entry), package
        assert "--hash=sha256:" in entry, package
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|^-i |@ ", text, re.MULTILINE)


def required(dependencies: list[str]) -> set[str]:
    return {re.split(r"[<>=\[ ;]", one, maxsplit=1)[0].lower() for one in dependencies}


def test_the_locks_hold_what_the_project_asks_for() -> None:
    runtime = required(PROJECT["project"]["dependencies"])
    assert runtime <= set(locked("requirements.txt"))
    extras = required([one for group in PROJECT["project"]["optional-dependencies"].values() for one in group])
    assert runtime | extras | required(PROJECT["dependency-groups"]["dev"]) <= set(locked("requirements-dev.txt"))


def test_both_locks_agree() -> None:
    runtime, everything = locked("requirements.txt"), locked("requirements-dev.txt")
    assert {name: entry for name, entry in everything.items() if name in runtime} == runtime


def test_it_cannot_be_uploaded_by_accident() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


@pytest.mark.parametrize("target", ["demo", "run", "test", "lint", "bench", "chaos", "docs", "lock"])
def test_the_makefile_keeps_its_names(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_file_that_is_read_at_run_time_is_installed() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    left_out = []
    for package in ("leads", "scoring", "allocation", "connector", "bots", "webhooks"):
        for path in (ROOT / package).rglob("*"):
            if not path.is_file() or path.suffix in (".py", ".pyc"):
                continue
            if (
                path.suffix
                and any(pattern == f"*{path.suffix}" for pattern in patterns["*"])
                and (path.parent / "__init__.py").exists()
            ):
                continue
            owners = [name for name in patterns if name != "*" and path.is_relative_to(ROOT / name.replace(".", "/"))]
            if not any(
                path.relative_to(ROOT / owner.replace(".", "/")).match(pattern.replace("**/", ""))
                for owner in owners
                for pattern in patterns[owner]
            ):
                left_out.append(str(path.relative_to(ROOT)))
    assert left_out == []
