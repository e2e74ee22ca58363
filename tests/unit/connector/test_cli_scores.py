"""The command line over scores: a file in and out, and one lead explained."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House, open_house
from connector.pipeline.allocate import allocate
from connector.pipeline.evaluate import evaluate
from connector.settings import read_settings
from leads.enums import ChangeKind
from leads.records import LeadChange, RepRecord

Run = Callable[..., tuple[int, str, str]]
ROWS = "Email,Title,=cmd|x,employees\nada@example.com,CEO,=1+1,10\nbo@example.com,Intern,-5,ten\ncy@example.com,,x\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The house that the command line will find in its folder."""
    built = open_house(read_settings({"LEADSWITCH_HOME": str(tmp_path / "var")}), migrate=True)
    yield built
    built.close()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_file_is_scored_beside_itself(run: Run, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(ROWS)
    code, out, err = run("score", "new.csv", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["rows"], told["scored"], told["failed"], told["source"]) == (3, 1, 2, "rules")
    [scored] = rows_of(tmp_path / "new.scored.csv")
    assert (scored["Email"], scored["'=cmd|x"]) == ("ada@example.com", "'=1+1")
    assert int(scored["leadswitch_score"]) > 0
    assert scored["leadswitch_raised_by"]
    errors = rows_of(tmp_path / "new.errors.csv")
    assert [(row["line"], row["reason"]) for row in errors] == [
        ("3", "employees is not a number"),
        ("4", "fewer cells than headings"),
    ]
    assert "'=cmd|x" in errors[0], "headings are cells too"
    assert "Scoring new.csv: 100%" in err
    assert not list(tmp_path.glob(".*.part"))


def test_a_packed_file_a_map_and_another_target(run: Run, tmp_path: Path) -> None:
    (tmp_path / "new.csv.gz").write_bytes(gzip.compress(b"Nr,Job\n1,CEO\n"))
    (tmp_path / "map.toml").write_text('external_id = "Nr"\n[fields]\ntitle = "Job"\n')
    code, _, err = run("score", "new.csv.gz", "--map", "map.toml", "--out", "there.csv")
    assert code == 0, err
    [scored] = rows_of(tmp_path / "there.csv")
    assert "decides" in scored["leadswitch_raised_by"]


@pytest.mark.parametrize(
    ("words", "text", "code", "says"),
    [
        (("none.csv",), "a\n", 2, "none.csv is not a file"),
        (("new.csv", "--out", "new.csv"), "a\n1\n", 2, "name another with --out"),
        (("new.csv",), "a,a\n", 2, "'a' stands twice"),
        (("new.csv",), "", 2, "no headings"),
        (("new.csv",), "a,b\n1\n", 1, "No row could be read"),
        (("new.csv",), 'a\n"open', 2, "not a CSV file"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(
    run: Run, tmp_path: Path, words: tuple[str, ...], text: str, code: int, says: str
) -> None:
    (tmp_path / "new.csv").write_text(text)
    ended, _, err = run("score", *words)
    assert ended == code
    assert says in err.splitlines()[-1]
    assert code == 1 or not (tmp_path / "new.scored.csv").exists(), "nothing half-written"


def test_why_says_what_to_do_and_what_would_lift_the_lead(run: Run, house: House) -> None:
    house.reps.sync("crm", [RepRecord("7", "anna@example.com", "Anna", True)])
    fields = {"email": "ada@example.com", "first_name": "Ada", "title": "Clerk"}
    change = LeadChange("e1", "101", datetime.now(UTC) - timedelta(minutes=5), ChangeKind.CREATED, fields=fields)
    with house.db.transaction():
        lead_id = house.leads.apply("crm", change, live=True).lead_id
    evaluate(house, lead_id)
    allocate(house, lead_id)
    code, out, _ = run("why", "ada@example.com")
    assert code == 0
    assert "Next: Write a personal e-mail" in out
    assert "Best time: " in out
    assert "Lift: " in out
    assert "Worth asking: What do you need, and by when?" in out
    assert "Not counted" not in out
    told = json.loads(run("why", "ada@example.com", "--json")[1])
    assert told["now"]["next_step"]["action"] == "email"
    assert told["now"]["would_lift"]["lifts"] is True
    assert told["now"]["similar_leads"] == []


def test_model_families_are_held_side_by_side(run: Run, tmp_path: Path) -> None:
    code, _, err = run("models", "compare")
    assert code == 1
    assert "No model is in use" in err
    house = open_house(read_settings({"LEADSWITCH_HOME": str(tmp_path / "var")}), migrate=True)
    house.model_versions.add("20260301-a", {"auc": 0.8})
    house.model_versions.add("20260302-b", {"families": [{"family": "catboost", "auc": [0.871, 0.852, 0.889]}]})
    house.model_versions.promote("20260302-b")
    house.close()
    code, out, _ = run("models", "compare")
    assert code == 0
    assert out.splitlines() == ["family\tauc", "catboost\t.871 (.852 to .889)"]
    code, out, _ = run("models", "compare", "--json")
    assert json.loads(out) == [{"version": "20260302-b", "family": "catboost", "auc": [0.871, 0.852, 0.889]}]
    code, _, err = run("models", "compare", "20260301-a")
    assert code == 1
    assert "leadswitch train --compare" in err
