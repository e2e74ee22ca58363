"""Deadlines: each step at its moment, once, in working time; the first contact, and who is silent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector import commands
from connector.bootstrap import House
from connector.clock import to_ms
from connector.commands import Actor
from connector.errors import Retriable
from connector.pipeline import sla
from connector.pipeline.deliver import HANDLERS
from connector.pipeline.leavers import release_leads
from connector.pipeline.sla import sweep_clocks
from connector.storage.effects import Effect
from connector.storage.timers import Timer, Timers
from connector.testing import NOON
from leads.enums import ChangeKind, ChangeOrigin, DecisionOutcome, EffectKind, EngagementKind, Role
from leads.records import RepRecord
from tests.unit.connector.pipeline.scripted import CRM, Desk, act, change, records_of_reps

BOSS = Actor("cli", "boss", Role.ADMIN)
TERMS = "remind_minutes = 5\nalert_minutes = 10\naccept_minutes = 15\ncontact_minutes = 60\nreroute = true\nmark_away = true"
TIERS = "\n".join(f"[sla.{tier}]\n{TERMS}" for tier in "abcd")
EVERYBODY = '[teams.sales]\nreps = ["*"]\n'


class Alerts:
    """Takes the alerts of the SLA."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def deliver(self, house: object, effect: Effect, in_doubt: bool) -> str:
        self.told.append((effect.payload["stage"], effect.payload["result"], effect.payload["destination"]))
        return "D1:1"


@pytest.fixture
def alerts() -> Alerts:
    HANDLERS[EffectKind.SLA_ALERT] = made = Alerts()
    return made


@pytest.fixture
def policy(desk: Desk, alerts: Alerts) -> Callable[[str], None]:
    def put(text: str) -> None:
        Path(desk.house.settings.policy).write_text(text, encoding="utf-8")
        desk.house.__dict__.pop("policy_shelf", None)

    put(f"{TIERS}\n{EVERYBODY}")
    return put


def arrive(desk: Desk, number: str = "1") -> int:
    made = change(number, desk.clock.now(), first_name="P", last_name=number, email=f"p{number}@corp.example")
    desk.tell(CRM, made)
    desk.run()
    return desk.lead(number)


def holder(desk: Desk, lead: int) -> str:
    assignment = desk.house.decisions.open_assignment(lead)
    assert assignment is not None
    return assignment.rep_id


def sweep(desk: Desk) -> int:
    fired = sweep_clocks(desk.house)
    desk.run()
    return fired


def actor(rep: str) -> Actor:
    return Actor("slack", f"U{rep}", Role.REP, rep)


def test_every_step_at_its_moment_and_once(desk: Desk, policy: object, alerts: Alerts) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    seen = []
    for minute in range(16):
        while sweep(desk):
            pass
        seen.append((minute, len(alerts.told), holder(desk, lead)))
        desk.clock.move(60)
    assert [told for _, told, _ in seen] == [0] * 5 + [1] * 5 + [2] * 5 + [3]
    assert [who for _, _, who in seen[:15]] == [first] * 15
    assert seen[15][2] != first
    assert alerts.told == [
        ("remind", "reminded", f"dm:{first}"),
        ("alert", "alerted", "channel:#leads"),
        ("accept", "rerouted", "channel:#leads"),
    ]
    rep = desk.house.reps.get(first)
    assert rep is not None
    assert rep.settings["silent_since"] == (NOON + timedelta(minutes=15)).isoformat()
    steps = [(stage, state, result) for stage, _, state, result in desk.house.timers.of_lead(lead) if state != "pending"]
    assert ("accept", "fired", "rerouted") in steps


def test_who_lost_a_lead_by_a_deadline_does_not_get_it_again_and_no_credit_back(desk: Desk, policy: object) -> None:
    lead = arrive(desk)
    had = []
    for _ in range(2):
        had.append(holder(desk, lead))
        desk.clock.move(15 * 60)
        sweep(desk)
        assert holder(desk, lead) not in had
    line = desk.house.decisions.rotation("sales/c")
    credits = {rep: seat[0] for rep, seat in line["seats"].items()}
    assert all(credits[rep] < 0.5 for rep in had), credits
    last = holder(desk, lead)
    desk.clock.move(15 * 60)
    sweep(desk)
    assert holder(desk, lead) == last, "alone: it stays"
    assert desk.house.waiting.count() == 0
    rep = desk.house.reps.get(last)
    assert rep is not None
    assert "silent_since" not in rep.settings, "who is alone is not taken out"
    pending = [due for stage, due, state, _ in desk.house.timers.of_lead(lead) if stage == "accept" and state == "pending"]
    assert pending == [desk.clock.now() + timedelta(minutes=15)], "and it is looked at again"


def test_the_silent_get_nothing_until_they_act(desk: Desk, policy: object) -> None:
    lead = arrive(desk)
    silent = holder(desk, lead)
    desk.clock.move(15 * 60)
    sweep(desk)
    for number in range(2, 8):
        assert holder(desk, arrive(desk, str(number))) != silent
    verdict = next(one for one in commands.why(desk.house, desk.lead("7")).verdicts if one.rep_id == silent)  # type: ignore[union-attr]
    assert verdict.detail == "silent since a deadline passed on 2026-03-02 12:15 UTC"
    other = holder(desk, desk.lead("7"))
    assert commands.accept(desk.house, desk.lead("7"), actor(other)).ok
    assert desk.house.reps.get(silent).settings.get("silent_since")  # type: ignore[union-attr]
    commands.set_rep(desk.house, silent, {"paused_until": None}, actor(silent))
    assert not desk.house.reps.get(silent).settings.get("silent_since")  # type: ignore[union-attr]
    assert silent in {holder(desk, arrive(desk, str(number))) for number in range(10, 13)}


@pytest.mark.parametrize("touch", ["call", "status", "logged"])
def test_a_first_contact_meets_the_deadlines_and_is_the_speed_to_lead(
    desk: Desk, policy: object, alerts: Alerts, touch: str
) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    at = NOON + timedelta(minutes=4)
    desk.clock.move(240)
    if touch == "status":
        desk.tell(CRM, change("1", at, lead_status="ATTEMPTED_TO_CONTACT"))
    else:
        kind = EngagementKind.CALL_ANSWERED if touch == "call" else EngagementKind.CONTACTED
        desk.tell(CRM, act(None, at, kind, external_id="1"))
    contact = desk.house.timers.contact(lead)
    assert contact is not None
    created = desk.house.leads.get(lead).created_at  # type: ignore[union-attr]
    assert (contact.rep_id, contact.at, contact.seconds) == (first, at, (at - created).total_seconds())
    assert contact.business_minutes == contact.seconds / 60, "the policy has no hours"
    for _ in range(10):
        desk.clock.move(15 * 60)
        sweep(desk)
    assert alerts.told == []
    assert holder(desk, lead) == first
    assert {state for _, _, state, _ in desk.house.timers.of_lead(lead)} == {"void"}


@pytest.mark.parametrize(
    "fields", [{"lead_status": "NEW"}, {"title": "CEO"}, {"lead_status": "CONNECTED", "origin": ChangeOrigin.MACHINE}]
)
def test_what_is_no_contact(desk: Desk, policy: object, fields: dict[str, str]) -> None:
    lead = arrive(desk)
    desk.clock.move(60)
    origin = ChangeOrigin(fields.pop("origin", ChangeOrigin.PERSON))
    desk.tell(CRM, replace(change("1", desk.clock.now(), **fields), origin=origin))
    desk.tell(CRM, act(None, desk.clock.now(), EngagementKind.EMAIL_OPENED, external_id="1"))
    desk.tell(CRM, act(None, NOON - timedelta(days=400), EngagementKind.CALL_ANSWERED, external_id="1"))
    assert desk.house.timers.contact(lead) is None


def test_accepting_stops_the_first_clocks_and_not_the_one_of_contact(desk: Desk, policy: object, alerts: Alerts) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    assert commands.accept(desk.house, lead, actor(first)).ok
    desk.clock.move(20 * 60)
    sweep(desk)
    assert alerts.told == []
    desk.clock.move(40 * 60)
    sweep(desk)
    assert alerts.told == [("contact", "rerouted", "channel:#leads")]
    assert holder(desk, lead) != first
    assert not desk.house.reps.get(first).settings.get("silent_since")  # type: ignore[union-attr]


def test_whom_a_person_chose_keeps_the_lead_and_the_manager_hears_of_it(
    desk: Desk, policy: Callable[[str], None], alerts: Alerts
) -> None:
    policy(f'{TIERS}\n{EVERYBODY}manager = "3"\n')
    lead = arrive(desk)
    commands.reassign(desk.house, lead, "2", BOSS, "knows them")
    desk.clock.move(15 * 60)
    while sweep(desk):
        pass
    assert holder(desk, lead) == "2"
    assert ("accept", "missed", "dm:3") in alerts.told


def test_deadlines_count_working_time_of_the_team_and_of_the_member(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(f'{TIERS}\n{EVERYBODY}[teams.sales.hours]\nzone = "UTC"\nmon-fri = "09:00-12:05"\n')
    commands.set_rep(desk.house, "2", {"hours": {"mon": "11:00-12:10"}}, BOSS)
    by_team = arrive(desk)
    due = {stage: moment for stage, moment, _, _ in desk.house.timers.of_lead(by_team)}
    assert due["remind"] == NOON + timedelta(minutes=5)
    assert due["alert"] == NOON.replace(day=3, hour=9, minute=5)
    by_member = arrive(desk, "2")
    assert holder(desk, by_member) == "2"
    due = {stage: moment for stage, moment, _, _ in desk.house.timers.of_lead(by_member)}
    assert due["accept"] == NOON.replace(day=9, hour=11, minute=5)


def test_many_clocks_and_a_restart_fire_each_step_once(desk: Desk, policy: object, alerts: Alerts) -> None:
    leads = [arrive(desk, str(number)) for number in range(6)]
    desk.clock.move(6 * 60)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: sweep_clocks(desk.house), range(12)))
    desk.run()
    reminded = [told for told in alerts.told if told[0] == "remind"]
    assert len(reminded) == len(leads)
    assert sweep(desk) == 0


def test_clocks_that_jump(desk: Desk, policy: object, alerts: Alerts) -> None:
    """Back: nothing fires twice, and no time is negative. Ahead: what is due by then fires, in order, once."""
    lead = arrive(desk)
    first = holder(desk, lead)
    desk.clock.move(6 * 60)
    assert sweep(desk) == 1
    desk.clock.move(-3600)
    assert sweep(desk) == 0
    desk.tell(CRM, act(None, desk.clock.now(), EngagementKind.CALL_ANSWERED, external_id="1"))
    contact = desk.house.timers.contact(lead)
    assert contact is not None
    assert contact.seconds >= 0
    assert desk.house.decisions.open_assignment(lead).contacted_at is None, "it was before the lead was given"  # type: ignore[union-attr]
    desk.clock.move(10 * 24 * 3600)
    while sweep(desk):
        pass
    assert [(stage, result) for stage, result, _ in alerts.told] == [
        ("remind", "reminded"),
        ("alert", "alerted"),
        ("accept", "rerouted"),
    ]
    assert holder(desk, lead) != first
    pending = [due for _, due, state, _ in desk.house.timers.of_lead(lead) if state == "pending"]
    assert min(pending) > desk.clock.now(), "whoever has it now has the whole time"


def test_a_rep_whom_the_crm_deleted_gives_up_every_open_lead(desk: Desk) -> None:
    leads = [arrive(desk, str(number)) for number in range(6)]
    gone = [lead for lead in leads if holder(desk, lead) == "1"]
    assert len(gone) == 2
    assert release_leads(desk.house) == 0
    desk.clock.move(60)
    desk.house.reps.sync(CRM, [one for one in records_of_reps() if one.external_id != "100"])
    assert release_leads(desk.house) == 2
    desk.run()
    for lead in gone:
        assert holder(desk, lead) != "1"
        newest = desk.house.decisions.newest(lead)
        assert newest is not None
        assert (newest.outcome, newest.reason) == (DecisionOutcome.ASSIGNED, "its rep is no longer in the CRM")
    assert release_leads(desk.house) == 0
    assert "1" not in desk.house.decisions.open_counts()


def test_with_nobody_left_the_leads_of_a_leaver_wait_with_a_reason(desk: Desk) -> None:
    lead = arrive(desk)
    desk.clock.move(60)
    desk.house.reps.sync(CRM, [RepRecord(one.external_id, one.email, one.name, False) for one in records_of_reps()])
    assert release_leads(desk.house) == 1
    assert [held.lead_id for held in desk.house.waiting.all()] == [lead]
    assert desk.house.leads.get(lead).owner_id is None  # type: ignore[union-attr]


def test_a_merged_lead_keeps_its_first_contact_and_its_deadlines(desk: Desk, policy: object, alerts: Alerts) -> None:
    one, two = arrive(desk, "1"), arrive(desk, "2")
    desk.clock.move(60)
    desk.tell(CRM, act(None, desk.clock.now(), EngagementKind.CALL_ANSWERED, external_id="2"))
    desk.tell(CRM, replace(change("1", desk.clock.now(), ChangeKind.MERGED), merged_ids=("2",)))
    desk.run()
    assert desk.lead("2") == one != two
    contact = desk.house.timers.contact(one)
    assert contact is not None
    assert contact.at == desk.clock.now()
    desk.clock.move(20 * 60)
    while sweep(desk):
        pass
    assert desk.house.waiting.count() == 0
    assert len(alerts.told) <= 3, "those of the one lead that is left"


def pending(desk: Desk, lead: int) -> int:
    return sum(state == "pending" for _, _, state, _ in desk.house.timers.of_lead(lead))


def start_many(desk: Desk, lead: int, many: int) -> None:
    with desk.house.db.transaction():
        for number in range(many):
            desk.house.timers.start(lead, 10_000 + number, {"remind": desk.clock.now()})


def test_all_that_is_due_at_one_moment_is_carried_out_in_one_sweep(desk: Desk) -> None:
    lead = arrive(desk)
    start_many(desk, lead, 300)
    assert sweep_clocks(desk.house) == 300
    assert pending(desk, lead) == 0


def test_what_has_nothing_left_to_do_is_settled_at_once_and_nothing_else(desk: Desk, policy: object) -> None:
    """Each lead in another state; the clocks that stay are those of which `fire` finds something to do."""
    house, held = desk.house, {}
    for number, state in enumerate(("idle", "accepted", "contacted", "closed", "won"), 1):
        found = house.decisions.open_assignment(arrive(desk, str(number)))
        assert found is not None
        held[state] = found
    with house.db.transaction():
        house.db.run("UPDATE timer SET due_at = ?", to_ms(desk.clock.now()))
        house.decisions.accept(held["accepted"].id, desk.clock.now())
        house.decisions.contacted(held["contacted"].id, desk.clock.now())
        house.decisions.close(held["closed"].lead_id, desk.clock.now(), "passed")
        house.db.run("UPDATE lead SET outcome = 'won' WHERE id = ?", held["won"].lead_id)
    stages = {state: set(house.timers.running(one.id)) for state, one in held.items()}
    assert {"remind", "accept", "contact"} <= stages["idle"]
    house.timers.void_met()
    left = {state: set(house.timers.running(one.id)) for state, one in held.items()}
    assert left == {"idle": stages["idle"], "accepted": {"contact"}, "contacted": set(), "closed": set(), "won": set()}
    sweep_clocks(house)
    assert "fired" in [one[2] for one in house.timers.of_lead(held["accepted"].lead_id) if one[0] == "contact"]


def test_clocks_that_break_starve_no_other_and_are_tried_again_after_a_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Timers, "void_met", lambda timers: 0
    )  # each of these is carried out by itself, though nothing is left to do
    lead = arrive(desk)
    start_many(desk, lead, 300)
    broken = {timer.id for timer in desk.house.timers.due(150)}
    real = sla.fire

    def breaks(house: House, timer: Timer) -> bool:
        if timer.id in broken:
            raise ZeroDivisionError if timer.id % 2 else Retriable("out of reach")
        return real(house, timer)

    monkeypatch.setattr(sla, "fire", breaks)
    assert sweep_clocks(desk.house) == 150
    assert pending(desk, lead) == 150
    assert desk.house.timers.due(1) == []
    assert sweep_clocks(desk.house) == 0
    broken.clear()
    desk.clock.move(60)
    assert sweep_clocks(desk.house) == 150


AWAY_ONLY = "\n".join(f"[sla.{tier}]\naccept_minutes = 15\nmark_away = true" for tier in "abcd")


def test_who_does_not_accept_is_marked_away_and_the_lead_stays(desk: Desk, policy: Callable[[str], None], alerts: Alerts) -> None:
    policy(f"{AWAY_ONLY}\n{EVERYBODY}")
    lead = arrive(desk)
    first = holder(desk, lead)
    desk.clock.move(15 * 60)
    sweep(desk)
    assert holder(desk, lead) == first
    assert alerts.told == [("accept", "missed", "channel:#leads")]
    assert desk.house.reps.get(first).settings.get("silent_since")  # type: ignore[union-attr]
    assert first not in {holder(desk, arrive(desk, str(number))) for number in range(2, 6)}


def test_who_keeps_a_lead_chosen_by_a_person_and_does_not_accept_is_marked_away(desk: Desk, policy: object) -> None:
    lead = arrive(desk)
    commands.reassign(desk.house, lead, "2", BOSS, "knows them")
    desk.clock.move(15 * 60)
    sweep(desk)
    assert holder(desk, lead) == "2"
    assert desk.house.reps.get("2").settings.get("silent_since")  # type: ignore[union-attr]


OVERFLOW = """
[teams.front]
reps = ["1"]
nobody_free = "overflow"
overflow = "back"
manager = "1"
sla = { a = { accept_minutes = 10 }, b = { accept_minutes = 10 }, c = { accept_minutes = 10 }, d = { accept_minutes = 10 } }
caps = { open = 1 }
[teams.back]
reps = ["2"]
manager = "3"
sla = { a = { accept_minutes = 50 }, b = { accept_minutes = 50 }, c = { accept_minutes = 50 }, d = { accept_minutes = 50 } }
[teams.back.hours]
mon-fri = "12:30-20:00"
"""


def test_a_lead_that_went_over_to_another_team_has_that_teams_hours_deadlines_and_manager(
    desk: Desk, policy: Callable[[str], None], alerts: Alerts
) -> None:
    policy(OVERFLOW)
    assert holder(desk, arrive(desk, "1")) == "1"
    desk.clock.move(30 * 60)
    over = arrive(desk, "2")
    assert holder(desk, over) == "2"
    due = {stage: moment for stage, moment, _, _ in desk.house.timers.of_lead(over)}
    assert due == {"accept": desk.clock.now() + timedelta(minutes=50)}
    desk.clock.move(50 * 60)
    sweep(desk)
    assert ("accept", "missed", "dm:3") in alerts.told
    assert desk.house.decisions.newest(over).record["answer"]["team"] == "back"  # type: ignore[union-attr]


def clocks(desk: Desk, lead: int) -> dict[str, float]:
    """Stage → minutes from noon until it is due, of the clocks that run."""
    assignment = desk.house.decisions.open_assignment(lead)
    assert assignment is not None
    return {stage: (due - NOON).total_seconds() / 60 for stage, due in desk.house.timers.running(assignment.id).items()}


def test_a_snooze_stops_the_clocks_until_its_end(desk: Desk, policy: object, alerts: Alerts) -> None:
    lead = arrive(desk)
    mine, before = holder(desk, lead), clocks(desk, lead)
    assert before == {"remind": 5, "alert": 10, "accept": 15, "contact": 60}
    desk.clock.move(120)
    for hours in (1, 2):  # the second takes the place of the first
        assert commands.snooze(desk.house, lead, NOON + timedelta(hours=hours), actor(mine)).ok
    assert clocks(desk, lead) == {"remind": 123, "alert": 128, "accept": 133, "contact": 178}
    desk.clock.move(3 * 60)
    assert sweep(desk) == 0
    assert commands.undo(desk.house, actor(mine)).ok
    assert commands.undo(desk.house, actor(mine)).ok
    assert clocks(desk, lead) == before, "undone"
    assert commands.snooze(desk.house, lead, NOON + timedelta(hours=1), actor(mine)).ok
    assert commands.accept(desk.house, lead, actor(mine)).ok
    assert clocks(desk, lead)["contact"] == 60, "whoever acts has taken it up again"


def test_after_a_snooze_the_clocks_run_on(desk: Desk, policy: object, alerts: Alerts) -> None:
    lead = arrive(desk)
    mine = holder(desk, lead)
    assert commands.snooze(desk.house, lead, NOON + timedelta(hours=1), actor(mine)).ok
    desk.clock.move(61 * 60)
    assert commands.accept(desk.house, lead, actor(mine)).ok
    assert clocks(desk, lead)["contact"] == 120
