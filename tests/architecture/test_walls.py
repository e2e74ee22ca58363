"""The walls of the house that import-linter cannot see (it checks the rest; `make lint` runs it)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("leads", "scoring", "allocation", "connector", "bots", "webhooks")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PURE = [path for path in MODULES if path.relative_to(ROOT).parts[0] in ("scoring", "allocation", "leads")]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain, empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def names(path: Path) -> Iterator[tuple[str, int]]:
    """Every dotted name that is used, and every `from x import y` as x.y, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield dotted(node), node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def environment_reads(path: Path) -> list[int]:
    forbidden = ("os.environ", "os.getenv", "os.environb")
    return [line for name, line in names(path) if name.startswith(forbidden)]


def test_the_environment_rule_sees_every_way_of_reading(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("import os\nfrom os import environ\nfrom os import getenv as g\na = os.environ['A']\nb = os.getenv('B')\n")
    assert set(environment_reads(file)) == {2, 3, 4, 5}


@pytest.mark.parametrize("path", [path for path in MODULES if shown(path) != "connector/settings.py"], ids=shown)
def test_only_settings_read_the_environment(path: Path) -> None:
    assert environment_reads(path) == []


#: Moments and randomness that would come from nowhere; a clock value, a seed or a generator is passed in instead.
HIDDEN = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now", "datetime.date.today")
HIDDEN_RANDOM = ("random.", "np.random.", "numpy.random.")
SEEDED = ("random.Random", "np.random.default_rng", "numpy.random.default_rng", "np.random.Generator", "numpy.random.Generator")


@pytest.mark.parametrize("path", PURE, ids=shown)
def test_scoring_and_allocation_take_time_and_chance_from_outside(path: Path) -> None:
    used = [
        f"{name}:{line}"
        for name, line in names(path)
        if name in HIDDEN or (name.startswith(HIDDEN_RANDOM) and not name.startswith(SEEDED))
    ]
    assert used == []


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_every_folder_with_code_is_a_package_and_every_module_says_what_it_is_for(path: Path) -> None:
    assert (path.parent / "__init__.py").exists(), "it would be left out of the installation"
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "a module begins with what it is for"


def loaded(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


HEAVY = {"catboost", "numpy", "pandas", "sklearn", "scipy", "slack_bolt", "openai", "matplotlib", "plotly"}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import connector.cli, connector.supervisor", HEAVY | {"peewee", "dramatiq", "rich", "httpx"}),
        ("import connector.bootstrap, connector.schedule, connector.pipeline.sweep", HEAVY | {"uvicorn", "holidays"}),
        ("import webhooks.app", HEAVY | {"holidays"}),
        ("import scoring.scorer, scoring.bundle", {"sklearn", "pandas", "scipy", "matplotlib", "plotly"}),
    ],
)
def test_small_processes_stay_small(statement: str, unwanted: set[str]) -> None:
    assert loaded(statement) & unwanted == set()
