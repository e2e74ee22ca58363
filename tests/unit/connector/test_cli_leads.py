"""The command line over a lead's way: imported, routed, explained, replayed; models, policies and how answers look."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House, open_house
from connector.cli.answers import counting, progress
from connector.pipeline.allocate import allocate
from connector.pipeline.evaluate import evaluate
from connector.settings import read_settings
from connector.storage.models import Decision
from leads.enums import ChangeKind
from leads.records import LeadChange, RepRecord

Run = Callable[..., tuple[int, str, str]]
MAP = """
connection = "old"
external_id = "Id"
[fields]
email = "Mail"
city = "City"
[outcome]
column = "Won"
won = ["1"]
lost = ["0"]
"""
ROWS = "Id,Mail,City,Won\n1,ada@example.com,Bonn,1\n2,bo@example.com,Ulm,0\n3,cy@example.com,Ulm,maybe\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The house that the command line will find in its folder."""
    built = open_house(read_settings({"LEADSWITCH_HOME": str(tmp_path / "var")}), migrate=True)
    yield built
    built.close()


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A packed file of leads and its map."""
    (tmp_path / "leads.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    (tmp_path / "map.toml").write_text(MAP)
    return "leads.csv.gz", "map.toml"


@pytest.fixture
def routed(house: House) -> int:
    """A lead that was scored by rules and given to Anna; its id."""
    house.reps.sync("crm", [RepRecord("7", "anna@example.com", "Anna", True)])
    fields = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "title": "CTO"}
    change = LeadChange("e1", "101", datetime.now(UTC) - timedelta(minutes=5), ChangeKind.CREATED, fields=fields)
    with house.db.transaction():
        lead_id = house.leads.apply("crm", change, live=True).lead_id
    evaluate(house, lead_id)
    allocate(house, lead_id)
    return lead_id


def test_an_import_takes_what_it_can_read_and_sets_the_rest_aside(run: Run, files: tuple[str, str], tmp_path: Path) -> None:
    code, out, err = run("import", files[0], "--map", files[1], "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["rows"], told["created"], told["failed"]) == (3, 2, 1)
    assert "neither won nor lost" in Path(told["errors_file"]).read_text()
    assert "Importing leads.csv.gz: 100%" in err
    code, out, _ = run("import", files[0], "--map", files[1], "--json")
    assert (json.loads(out)["created"], json.loads(out)["changed"]) == (0, 0), "again changes nothing twice"


def test_an_import_of_nothing_readable_fails(run: Run, files: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("Id,Mail,City,Won\n1,a@example.com,Bonn,perhaps\n")
    code, _, err = run("import", "bad.csv", "--map", files[1])
    assert code == 1
    assert "No row could be read" in err


@pytest.mark.parametrize(
    ("text", "says"),
    [("externl_id = 'Id'", "externl_id: unknown key"), ("external_id = 'Nr'", "no column 'Nr'"), ("external_id = [", "map.toml")],
)
def test_a_wrong_map_is_named(run: Run, files: tuple[str, str], tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    code, _, err = run("import", files[0], "--map", files[1])
    assert code == 2
    assert says in err


def test_tuning_without_its_extra_says_how_to_get_it(run: Run, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.tuning.find_spec", lambda name: None)
    assert run("train", "--tune", "3") == (
        1, "", 'leadswitch: Tuning needs Optuna, an extra of Leadswitch: pip install "leadswitch[tune]"\n'
    )  # fmt: skip


def test_too_little_history_trains_nothing(run: Run, files: tuple[str, str]) -> None:
    run("import", files[0], "--map", files[1])
    code, _, err = run("train")
    assert code == 1
    assert err.splitlines()[-1].startswith("leadswitch: ")
    assert run("models", "list")[1] == "No model yet: leads are scored by rules. Train one: leadswitch train\n"


@pytest.mark.parametrize("named", ["ada@example.com", "Lovelace", "1"])
def test_why_tells_the_decision_however_the_lead_is_named(run: Run, routed: int, named: str) -> None:
    code, out, _ = run("why", named)
    assert code == 0
    assert out.startswith(f"Lead {routed}: ")
    assert "Anna\tchosen" in out
    told = json.loads(run("why", named, "--json")[1])
    assert told["score"]["source"] == "rules"
    assert [verdict["kind"] for verdict in told["verdicts"]] == ["chosen"]


def test_why_asks_back_when_several_are_meant(run: Run, house: House, routed: int) -> None:
    change = LeadChange("e2", "102", datetime.now(UTC), ChangeKind.CREATED, fields={"first_name": "Grace", "last_name": "Lovelace"})
    with house.db.transaction():
        other = house.leads.apply("crm", change, live=True).lead_id
    code, _, err = run("why", "lovelace")
    assert code == 1
    assert f"({other}" not in err
    assert f"{other} (Grace Lovelace)" in err
    assert run("why", str(other))[2] == f"leadswitch: Nothing was decided about {other} yet.\n"


def test_a_decision_replays_and_one_that_was_tampered_with_does_not(run: Run, house: House, routed: int) -> None:
    code, out, _ = run("replay", "1", "--json")
    assert code == 0
    assert json.loads(out)["same"] is True
    with house.db.connected():
        Decision.update({Decision.rep_id: 99}).execute()
    code, _, err = run("replay", "1")
    assert code == 1
    assert "comes out otherwise" in err


def test_a_model_tells_what_leads_of_a_tier_are_worth(run: Run, house: House) -> None:
    values = {"a": {"leads": 12, "expected": 1234.4, "brought": 1500.0}}
    house.model_versions.add("v1", {"auc": 0.8, "tier_values": values})
    house.model_versions.promote("v1")
    assert "expected value tier a  1,234 a lead; 1,500 came in (12 leads)" in run("models", "show")[1]
    assert json.loads(run("models", "show", "--json")[1])["metrics"]["tier_values"] == values


def test_models_are_listed_shown_and_rolled_back(run: Run, house: House) -> None:
    for version, auc in (("v1", 0.81234), ("v2", 0.7)):
        house.model_versions.add(version, {"auc": auc, "rows": 100, "tiers": {"a": 1}})
        house.model_versions.promote(version)
    listed = run("models", "list")[1].splitlines()
    assert [line.split("\t")[:2] for line in listed[1:]] == [["v2", "champion"], ["v1", "retired"]]
    assert run("models", "rollback")[:2] == (0, "Model v1 is in use.\n")
    shown = run("models", "show")[1]
    assert "auc         0.8123" in shown
    assert "tiers" not in shown
    assert json.loads(run("models", "show", "v2", "--json")[1])["metrics"]["tiers"] == {"a": 1}
    assert run("models", "rollback")[2] == "leadswitch: There is no earlier model.\n"
    assert run("models", "rollback", "v9")[2].startswith("leadswitch: There is no model")
    assert run("models", "rollback", "v2")[0] == 0


def test_a_policy_is_checked_line_by_line(run: Run, tmp_path: Path) -> None:
    good = '[teams.a]\nreps = ["*"]\n[[rules]]\nteam = "a"\n[[rules]]\nname = "late"\nteam = "a"\n'
    (tmp_path / "policy.toml").write_text(good)
    code, out, _ = run("policy", "check")
    assert code == 0
    assert 'rule "late" never applies' in out
    assert json.loads(run("policy", "check", "--json")[1])["ok"] is True
    (tmp_path / "bad.toml").write_text('[teams.a]\nreps = ["*"]\nmethd = "rotation"\n')
    code, out, err = run("policy", "check", "bad.toml", "--json")
    assert (code, json.loads(out)["ok"]) == (2, False)
    assert "bad.toml:3" in err
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in run("policy", "check", "bytes.toml")[2]


def test_features_are_listed_and_make_a_page(run: Run) -> None:
    assert len(json.loads(run("features", "--json")[1])) >= 25
    assert run("features", "--markdown")[1].startswith("# Features (")


def test_a_person_at_a_terminal_gets_a_table(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("tokens", "create", "--role", "rep", "--name", "[bold]not markup[/bold]")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    out = run("tokens", "list")[1]
    assert "─" in out
    assert "[bold]not markup[/bold]" in out, "what others named is shown as it is"


def test_progress_elsewhere_is_a_line_a_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Reading") as report:
        for done in range(101):
            report(done / 100, "rows")
    assert capsys.readouterr().err.splitlines() == [f"Reading: {quarter}% rows" for quarter in (0, 25, 50, 75, 100)]


def test_progress_on_a_terminal_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with counting("Reading", "leads") as report:
        report(5, None)
        report(50, 100)
    assert "50 of 100 leads" in capsys.readouterr().err
