"""The command line of allocation: policies checked and published, leads given out, those that wait, calendars."""

from __future__ import annotations

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
PLAIN = '[teams.sales]\nreps = ["*"]\n'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The house that the command line will find in its folder, with two reps."""
    built = open_house(read_settings({"LEADSWITCH_HOME": str(tmp_path / "var")}), migrate=True)
    built.reps.sync("crm", [RepRecord(str(7 + place), f"{name}@x.example", name, True) for place, name in enumerate(("Ada", "Bo"))])
    yield built
    built.close()


def scored(house: House, number: int, **fields: str) -> int:
    at = datetime.now(UTC) - timedelta(minutes=5)
    told = {"email": f"p{number}@corp.example", "last_name": f"P{number}", **fields}
    lead = house.leads.apply("crm", LeadChange(f"e{number}", str(number), at, ChangeKind.CREATED, fields=told), live=True).lead_id
    evaluate(house, lead)
    return lead


def test_a_policy_is_checked_against_the_reps_that_exist(run: Run, house: House, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('[caps]\nopen = 0\n[teams.a]\nreps = ["1", "9"]\n[reps.8]\nweight = 2\n')
    code, out, err = run("policy", "check", "--json")
    assert code == 2
    assert [(one["line"], one["message"]) for one in json.loads(out)["problems"]] == [
        (4, 'there is no rep "9"; known: 1, 2; see leadswitch reps list'),
        (5, 'there is no rep "8"; known: 1, 2; see leadswitch reps list'),
    ]
    assert "policy.toml:4:" in err
    (tmp_path / "policy.toml").write_text('[teams.a]\nreps = ["1"]\n')
    allocate(house, scored(house, 1))
    (tmp_path / "policy.toml").write_text('[caps]\nopen = 0\n[teams.a]\nreps = ["1"]\n[teams.b]\nweights = { 1 = 0 }\n')
    warnings = json.loads(run("policy", "check", "--json")[1])["warnings"]
    assert warnings == [
        "policy.toml: rep 1 holds 1 open leads, more than the cap of 0: no new ones until enough are closed",
        "policy.toml: team b has no rep in the CRM",
    ]


def test_publishing_puts_a_policy_in_force_and_keeps_who_and_why(run: Run, house: House, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(f'name = "one"\n{PLAIN}')
    (tmp_path / "two.toml").write_text(f'name = "two"\n{PLAIN}method = "least_loaded"\n')
    assert "Say why" in run("policy", "publish", "one.toml")[2]
    assert "No policy was published" in run("policy", "history")[1]
    assert run("policy", "publish", "one.toml", "--why", "first")[0] == 0
    version = json.loads(run("policy", "publish", "two.toml", "--why", "even loads", "--json")[1])["version"]
    assert house.policy.version == version, "the running process takes it"
    rows = json.loads(run("policy", "history", "--json")[1])
    assert [(row["name"], row["why"], row["in_force"]) for row in rows] == [("two", "even loads", True), ("one", "first", False)]
    assert rows[0]["by"].startswith("cli:")
    assert run("policy", "show", rows[1]["version"][:6])[1] == (tmp_path / "one.toml").read_text()
    assert run("policy", "show")[1] == (tmp_path / "two.toml").read_text()
    assert run("policy", "show", "nope")[0] == 1
    published = [entry for entry in house.audit.entries() if entry.action == "policy.published"]
    assert [entry.reason for entry in published] == ["even loads", "first"]
    (tmp_path / "bad.toml").write_text('[teams.a]\nreps = ["*"]\noverflow = "a"\nnobody_free = "overflow"\n')
    code, _, err = run("policy", "publish", "bad.toml", "--why", "x")
    assert code == 2
    assert "bad.toml:3: the overflow runs in a circle: a → a" in err
    assert len(json.loads(run("policy", "history", "--json")[1])) == 2


def test_a_policy_published_elsewhere_reaches_a_running_process(house: House) -> None:
    before = house.policy.version
    house.policies.publish("v", "other", 'name = "other"\n[teams.x]\nreps = ["*"]', "cli:x", "y")
    assert house.policy.version == before, "not looked for at every decision"
    house.policy_shelf.look_again()
    assert house.policy.name == "other"
    house.policies.publish("w", "broken", "[teams", "cli:x", "y")
    house.policy_shelf.look_again()
    assert house.policy.name == "other", "what cannot be read replaces nothing"
    assert house.policy_shelf.fault


def test_one_lead_and_a_campaign_are_given_out(run: Run, house: House) -> None:
    one = scored(house, 1)
    many = [scored(house, number, campaign="Spring Fair") for number in range(2, 8)]
    code, out, _ = run("allocate", str(one), "--json")
    assert code == 0
    assert json.loads(out)["text"].endswith(("goes to Ada.", "goes to Bo."))
    assert json.loads(run("allocate", str(one), "--json")[1])["text"].endswith(" holds P1.")
    placed = json.loads(run("allocate", "--campaign", "spring fair", "--json")[1])
    assert sorted(map(int, placed["given"])) == many
    assert sorted(list(placed["given"].values()).count(rep) for rep in ("1", "2")) == [3, 3]
    assert all(house.decisions.newest(lead).method == "batch" for lead in many)  # type: ignore[union-attr]
    again = json.loads(run("allocate", *map(str, many), "--json")[1])
    assert (again["given"], set(again["left_out"].values())) == ({}, {"somebody holds it"})
    assert run("allocate")[0] == 2
    assert run("replay", str(house.decisions.newest(many[0]).id))[0] == 0  # type: ignore[union-attr]


def test_what_a_batch_cannot_place_waits_with_its_reason(run: Run, house: House, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(f"[caps]\nopen = 1\n{PLAIN}")
    leads = [scored(house, number, campaign="x") for number in range(1, 5)]
    placed = json.loads(run("allocate", "--campaign", "x", "--json")[1])
    assert (len(placed["given"]), len(placed["waiting"])) == (2, 2)
    rows = json.loads(run("waiting", "--json")[1])
    assert sorted(row["lead"] for row in rows) == sorted(placed["waiting"])
    assert all("2 at their cap; on the waiting list" in row["because"] for row in rows)
    assert {row["lead"] for row in rows} <= set(leads)


def test_a_calendar_is_imported_and_replaced(run: Run, house: House, tmp_path: Path) -> None:
    day = datetime.now(UTC).date() + timedelta(days=10)
    event = f"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Lisbon\r\nDTSTART;VALUE=DATE:{day:%Y%m%d}\r\nEND:VEVENT\r\n"
    (tmp_path / "a.ics").write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}END:VCALENDAR\r\n")
    run("reps", "set", "1", "timezone=Asia/Kolkata", 'pto=[["2030-01-01", "2030-01-02"]]')
    (row,) = json.loads(run("reps", "calendar", "1", "a.ics", "--json")[1])
    assert datetime.fromisoformat(row["until"]) - datetime.fromisoformat(row["from"]) == timedelta(days=1)
    stored = house.reps.get("1")
    assert stored is not None
    assert stored.settings["pto"]
    assert "Lisbon" not in json.dumps(dict(stored.settings))
    (tmp_path / "b.ics").write_text("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n")
    assert "no absence" in run("reps", "calendar", "1", "b.ics")[1]
    assert "calendar" not in house.reps.get("1").settings  # type: ignore[union-attr]
    (tmp_path / "c.ics").write_text("nothing")
    code, _, err = run("reps", "calendar", "1", "c.ics")
    assert code == 2
    assert "calendar:" in err


def test_territories_sizes_and_teams_can_be_set(run: Run, house: House) -> None:
    assert run("reps", "set", "1", 'postcodes=["10-19"]', "employees=[50, null]", "team=North")[0] == 0
    assert "not a range" in run("reps", "set", "1", 'postcodes=["9-1"]')[2]
    assert "least is above" in run("reps", "set", "1", "employees=[9, 1]")[2]
    row = json.loads(run("reps", "list", "--json")[1])[0]
    assert (row["teams"], row["settings"]["employees"]) == (["North"], [50, None])
