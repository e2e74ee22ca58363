"""`leadswitch playbooks`: what each command answers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.connector.conftest import Run
from tests.unit.connector.playbooks.conftest import SHIPPED

GOOD = str(SHIPPED / "hot-inbound.toml")


def test_check(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("playbooks", "check", GOOD)
    assert code == 0
    assert "hot-inbound; version" in out
    bad = tmp_path / "bad.toml"
    bad.write_text('[playbooks.x.when]\non = "tear"\n', encoding="utf-8")
    code, out, err = run("playbooks", "check", str(bad), "--json")
    assert code == 2
    assert json.loads(out)["problems"][0]["line"] == 2
    assert f"{bad}:2:" in err
    assert run("playbooks", "check", str(tmp_path / "none.toml"))[0] == 2


def test_from_publishing_to_the_list(run: Run) -> None:
    assert "No playbooks were published" in run("playbooks", "list")[1]
    code, out, err = run("playbooks", "publish", GOOD, "--why", "first")
    assert (code, err) == (0, "")
    assert out.startswith("In force: hot-inbound; version ")
    (row,) = json.loads(run("playbooks", "list", "--json")[1])
    assert (row["name"], row["when"], row["running"], row["enabled"]) == ("hot-inbound", "act", 0, True)
    assert run("playbooks", "show")[1] == Path(GOOD).read_text(encoding="utf-8")
    (shown,) = json.loads(run("playbooks", "show", "hot-inbound", "--json")[1])
    assert shown["why"] == "first"
    assert run("playbooks", "show", "nope")[0] == 1
    assert "No playbook ran" in run("playbooks", "runs")[1]
    tried = json.loads(run("playbooks", "dry-run", "--since", "7d", "--json")[1])
    assert tried == {"since": "7d", "runs": [], "counts": {"hot-inbound": 0}}
    assert run("playbooks", "dry-run", "--since", "soon")[0] == 2


def test_publishing_wants_a_reason(run: Run) -> None:
    code, _, err = run("playbooks", "publish", GOOD)
    assert code == 2
    assert "--why" in err
