"""`leadswitch playbooks`: what each command answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connector.cli import app
from tests.unit.connector.playbooks.conftest import SHIPPED

GOOD = str(SHIPPED / "hot-inbound.toml")
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADSWITCH_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("LEADSWITCH_REDIS_URL", "redis://127.0.0.1:1/0")


def test_check(tmp_path: Path) -> None:
    good = run(app, ["playbooks", "check", GOOD])
    assert good.exit_code == 0
    assert "hot-inbound; version" in good.output
    bad = tmp_path / "bad.toml"
    bad.write_text('[playbooks.x.when]\non = "tear"\n', encoding="utf-8")
    wrong = run(app, ["playbooks", "check", str(bad), "--json"])
    assert wrong.exit_code == 2
    assert json.loads(wrong.stdout)["problems"][0]["line"] == 2
    assert run(app, ["playbooks", "check", str(tmp_path / "none.toml")]).exit_code == 2


def test_from_publishing_to_the_list() -> None:
    assert "No playbooks were published" in run(app, ["playbooks", "list"]).output
    done = run(app, ["playbooks", "publish", GOOD, "--why", "first"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(run(app, ["playbooks", "list", "--json"]).stdout)
    assert (row["name"], row["when"], row["running"], row["enabled"]) == ("hot-inbound", "act", 0, True)
    assert run(app, ["playbooks", "show"]).stdout == Path(GOOD).read_text(encoding="utf-8")
    (shown,) = json.loads(run(app, ["playbooks", "show", "hot-inbound", "--json"]).stdout)
    assert shown["why"] == "first"
    assert run(app, ["playbooks", "show", "nope"]).exit_code == 1
    assert "No playbook ran" in run(app, ["playbooks", "runs"]).output
    tried = json.loads(run(app, ["playbooks", "dry-run", "--since", "7d", "--json"]).stdout)
    assert tried == {"since": "7d", "runs": [], "counts": {"hot-inbound": 0}}
    assert run(app, ["playbooks", "dry-run", "--since", "soon"]).exit_code == 2


def test_publishing_wants_a_reason() -> None:
    from connector.errors import Configuration

    refused = run(app, ["playbooks", "publish", GOOD])
    assert isinstance(refused.exception, Configuration)
