"""Replay, simulate and evaluate over a past that went through the whole pipeline: held, passed, moved, claimed, won and lost."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House, open_house
from connector.commands import Actor, pass_on, reassign
from connector.pipeline.allocate import allocate
from connector.pipeline.evaluate import evaluate
from connector.pipeline.overrides import PASS_FAULTS
from connector.settings import read_settings
from connector.storage.lessons import Lessons
from connector.storage.models import Decision, Feedback, Lead
from connector.storage.spelled import set_where
from leads.enums import ChangeKind, Role
from leads.records import LeadChange, RepRecord

Run = Callable[..., tuple[int, str, str]]
POLICY = "explore = 0.3\n[caps]\nopen = 10\n[teams.all]\nreps = ['*']\n[teams.all.weights]\n1 = 2.0\n"
BOSS = Actor("api", "boss", Role.MANAGER)
LEADS = 60


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The house that the command line will find in its folder, with four reps and a policy that draws lots."""
    (tmp_path / "policy.toml").write_text(POLICY)
    settings = read_settings({"LEADSWITCH_HOME": str(tmp_path / "var"), "LEADSWITCH_POLICY": str(tmp_path / "policy.toml")})
    built = open_house(settings, migrate=True)
    built.chance = random.Random(5)
    built.db.raw.pragma("synchronous", "off", permanent=True)
    built.reps.sync(
        "crm", [RepRecord(str(number), f"{name}@x.example", name, True) for number, name in enumerate(("Ann", "Bo", "<Cy>", "Di"))]
    )
    yield built
    built.close()


def route(house: House, number: int, country: str = "DE") -> int:
    """A lead through scoring and allocation; its id."""
    fields = {"email": f"p{number}@example.com", "title": "CTO" if number % 3 else "Student", "country": country}
    change = LeadChange(f"e{number}", str(number), datetime.now(UTC) - timedelta(minutes=5), ChangeKind.CREATED, fields=fields)
    with house.db.transaction():
        lead_id = house.leads.apply("crm", change, live=True).lead_id
    evaluate(house, lead_id)
    allocate(house, lead_id)
    return lead_id


@pytest.fixture
def lived(house: House) -> House:
    """A past in which everything happened that can happen to a lead."""
    rng = random.Random(3)
    for number in range(LEADS):
        lead_id = route(house, number)
        held = house.decisions.open_assignment(lead_id)
        if held is None:
            continue
        what = rng.random()
        if what < 0.15:
            assert pass_on(house, lead_id, replace(BOSS, rep_id=held.rep_id), "no_capacity").ok
        elif what < 0.3:
            other = str(int(held.rep_id) % 4 + 1)
            assert reassign(house, lead_id, other, BOSS, "", cause="wrong_territory").ok
        elif what < 0.5:
            end(house, lead_id, won=what < 0.4)
    return house


def end(house: House, lead_id: int, *, won: bool) -> None:
    now = house.clock.now()
    outcome = "won" if won else "lost"
    with house.db.transaction():
        house.decisions.close(lead_id, now, outcome)
        set_where(house.db, Lead, {"outcome": outcome, "outcome_at": now}, "id = ?", lead_id)


def test_every_decision_replays_with_every_verdict(run: Run, lived: House) -> None:
    with lived.db.connected():
        ids = [row.id for row in Decision.select().order_by(Decision.id)]
    methods = set()
    for decision_id in ids[::7]:
        code, out, err = run("replay", str(decision_id), "--json")
        told = json.loads(out)
        assert (code, told["same"], told["differing"]) == (0, True, []), err
        assert told["verdicts"] == 4
        methods.add(told["outcome"])
    assert len(methods) > 1


def test_a_record_in_which_a_verdict_was_changed_does_not_replay(run: Run, lived: House) -> None:
    with lived.db.connected():
        row = Decision.get_by_id(1)
        row.record["verdicts"][0]["factors"]["share"] = 0.9
        row.save()
    code, out, err = run("replay", "1", "--json")
    assert (code, json.loads(out)["differing"]) == (1, ["1"])
    assert "comes out otherwise" in err


def test_the_same_policy_simulated_gives_back_every_owner(run: Run, lived: House) -> None:
    code, out, err = run("simulate", "--policy", "policy.toml", "--since", "30d", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["leads"], told["moved"], told["moves"]) == (LEADS, 0, [])
    assert told["waiting"]["was"] == told["waiting"]["now"] > 0
    assert all(rep["leads"]["was"] == rep["leads"]["now"] for rep in told["reps"])
    assert told["expected_conversions"]["was"] == told["expected_conversions"]["now"] > 0


def test_the_same_rules_under_another_name_give_back_every_owner_too(run: Run, lived: House, tmp_path: Path) -> None:
    """Now load, ledger and waiting list are the simulation's own from the first lead on."""
    (tmp_path / "again.toml").write_text(f"name = 'again'\n{POLICY}")
    told = json.loads(run("simulate", "--policy", "again.toml", "--json")[1])
    assert (told["moved"], told["moves"]) == (0, [])


def test_another_policy_shows_the_difference_as_table_and_page(run: Run, lived: House, tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text("name = 'few <b>'\n[teams.few]\nreps = ['1', '3', '77']\n")
    code, out, err = run("simulate", "--policy", "few.toml", "--since", "2w", "--html", "few.html")
    assert code == 0, err
    assert "leads would have gone elsewhere under few <b>" in out
    assert 'there is no rep "77"' in err
    assert "expected conversions:" in out
    page = (tmp_path / "few.html").read_text()
    assert "few &lt;b&gt;" in page
    assert "&lt;Cy&gt;" in page
    assert "<Cy>" not in page
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http-equiv", ""), "the page loads nothing"
    told = json.loads(run("simulate", "--policy", "few.toml", "--json")[1])
    assert told["moved"] == len(told["moves"]) > 0
    assert {move["now"] for move in told["moves"] if "person" not in move["because"]} <= {"Ann", "<Cy>", None}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--policy", "policy.toml", "--since", "soon"), 2, '"soon" is not a length of time'),
        (("--policy", "policy.toml", "--since", "0d"), 2, "is not a length of time"),
        (("--policy", "none.toml"), 2, "none.toml cannot be read"),
        (("--policy", "bad.toml"), 2, "bad.toml:2"),
        (("--policy", "policy.toml"), 1, "there is nothing to simulate"),
    ],
)
def test_a_wrong_call_is_one_line(run: Run, house: House, tmp_path: Path, words: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "bad.toml").write_text("[teams.a]\nrepz = ['*']\n")
    found, _, err = run("simulate", *words)
    assert (found, says in err) == (code, True), err


def test_overrides_are_counted_by_week_and_cause(run: Run, lived: House) -> None:
    code, out, _ = run("evaluate", "--since", "2w", "--json")
    assert code == 0
    weeks = json.loads(out)
    assert len(weeks) == 2
    moved = sum(row.outcome == "overridden" for row in Decision.select())
    passed = sum(row.kind == "passed" for row in Feedback.select())
    assert sum(week["overrides"] for week in weeks) == moved + passed > moved > 0
    assert {cause for week in weeks for cause in week["causes"]} == {"wrong_territory", "no_capacity"}
    busy = weeks[-1]
    assert busy["rate"] == pytest.approx(busy["overrides"] / busy["picks"], abs=1e-4)


def test_what_was_moved_in_the_crm_or_not_against_the_engine_is_told_apart(lived: House) -> None:
    since = datetime.now(UTC) - timedelta(days=1)
    before = len(lived.lessons.set_aside(since, PASS_FAULTS))
    lead_id = route(lived, 900)
    held = lived.decisions.open_assignment(lead_id)
    if held is None:  # everybody is at their cap: make room
        lived.db.raw.execute_sql("UPDATE assignment SET closed_at = opened_at, closed_as = 'won'")
        allocate(lived, lead_id)
        held = lived.decisions.open_assignment(lead_id)
    assert held is not None
    others = [str(number) for number in range(1, 5) if str(number) != held.rep_id]
    assert reassign(lived, lead_id, others[0], BOSS, "").ok
    assert reassign(lived, lead_id, others[1], BOSS, "").ok  # sets aside a person's choice, not the engine's
    assert len(lived.lessons.set_aside(since, PASS_FAULTS)) == before + 1


def test_the_lift_of_a_policy_is_told_from_drawn_leads_that_ended(run: Run, house: House, tmp_path: Path) -> None:
    rng = random.Random(1)
    for number in range(80):
        lead_id = route(house, number, "DE" if number % 2 else "FR")
        held = house.decisions.open_assignment(lead_id)
        assert held is not None
        end(house, lead_id, won=rng.random() < (0.8 if held.rep_id == "3" else 0.1))
    (tmp_path / "third.toml").write_text("[teams.third]\nreps = ['3']\n")
    told = json.loads(run("evaluate", "--policy", "third.toml", "--json")[1])
    assert told["leads"] == 80
    assert 0 < told["matched"] < 80
    for kind in ("inverse_propensity", "doubly_robust"):
        assert told[kind]["low"] < told[kind]["lift"] < told[kind]["high"]
    assert told["doubly_robust"]["lift"] > 0
    _, out, _ = run("evaluate", "--policy", "third.toml")
    assert "95% between" in out
    code, _, err = run("evaluate", "--learn")
    assert (code, "200 are needed" in err) == (1, True)


def test_without_drawn_leads_no_lift_is_told(run: Run, house: House) -> None:
    code, _, err = run("evaluate", "--policy", "policy.toml")
    assert (code, "no past lead" in err) == (1, True)


def test_long_spans_are_read_in_pages(lived: House, monkeypatch: pytest.MonkeyPatch) -> None:
    since = datetime.now(UTC) - timedelta(days=1)
    whole = [taught.decision.id for taught in Lessons(lived.db, lived.decisions).since(since)]
    monkeypatch.setattr("connector.storage.lessons.PAGE", 7)
    assert [taught.decision.id for taught in lived.lessons.since(since)] == whole
    assert lived.lessons.count(since) == len(whole) > LEADS
