"""From what happens to a lead to what is done: the shipped playbooks, waits, branches, stops, and what may not happen twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connector.bootstrap import House
from connector.errors import Retriable
from connector.playbooks import runs
from connector.playbooks.looks import look
from connector.playbooks.reading import parse_playbooks
from connector.playbooks.runs import advance, sweep_playbooks
from connector.playbooks.shelf import PlaybookShelf
from connector.ports import LeadWrite, NoteWrite, TaskWrite
from connector.storage.playbooks import Run
from leads.enums import ChangeKind, EffectKind, EngagementKind, Outcome
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change
from tests.unit.connector.playbooks.conftest import history, play, publish, shipped

EMAIL = "a@corp.example"
FORM = EngagementKind.FORM_SUBMITTED
ON_FORM = '[playbooks.{0}.when]\non = "act"\nkinds = ["form_submitted"]\n'
ANY = "[playbooks.x.when]\non = 'act'\nkinds = ['form_submitted', 'email_clicked', 'page_viewed']\n"


def lead(desk: Desk, external_id: str = "1", email: str = EMAIL, **fields: str) -> int:
    """A lead that somebody holds."""
    hot = {"title": "Chief Executive Officer", "company": "Acme", "lifecycle_stage": "lead"}
    desk.tell(CRM, change(external_id, desk.clock.now(), email=email, **{**hot, **fields}))
    play(desk)
    return desk.lead(external_id)


def acts(desk: Desk, *kinds: EngagementKind) -> None:
    desk.tell(MAIL, *(act(EMAIL, desk.clock.now(), kind) for kind in kinds))
    play(desk)


def made(desk: Desk, sort: type) -> list[object]:
    return [write for write, _ in desk.crm.writes if isinstance(write, sort)]


def step(do: str, **more: object) -> str:
    said = "".join(f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n" for name, value in more.items())
    return f"[[playbooks.x.steps]]\ndo = '{do}'\n{said}"


def test_hot_inbound_that_nobody_answers(desk: Desk) -> None:
    publish(desk, shipped("hot-inbound").replace('tier = ["a", "b"]', 'tier = ["a", "b", "c", "d"]'))
    lead_id = lead(desk)
    acts(desk, FORM)
    ((name, state, _, steps),) = history(desk, lead_id)
    assert (name, state) == ("hot-inbound", "running")
    assert [one for one, _ in steps] == ["alert", "task", "wait"]
    mine = [one for one in made(desk, TaskWrite) if isinstance(one, TaskWrite) and one.subject.startswith("Call now: Hot inbound")]
    assert [(one.priority, one.due_at) for one in mine] == [("high", desk.clock.now() + timedelta(hours=1))]
    desk.clock.move(3599)
    assert sweep_playbooks(desk.house) == 0
    desk.clock.move(2)
    play(desk)
    ((_, state, ended, steps),) = history(desk, lead_id)
    assert (state, ended) == ("done", "done")
    assert steps[3] == ("branch", "else")
    assert [one.body for one in made(desk, NoteWrite) if isinstance(one, NoteWrite)] == [
        "Hot inbound: not spoken to within the hour."
    ]
    alerts = [one for one in desk.house.effects.of_lead(lead_id) if one.kind is EffectKind.SLA_ALERT]
    assert [one.payload["destination"].partition(":")[0] for one in alerts] == ["dm", "channel"]


def test_hot_inbound_that_a_meeting_ends(desk: Desk) -> None:
    publish(desk, shipped("hot-inbound").replace('tier = ["a", "b"]', 'tier = ["a", "b", "c", "d"]'))
    lead_id = lead(desk)
    acts(desk, FORM)
    acts(desk, EngagementKind.MEETING_BOOKED)
    ((_, state, ended, steps),) = history(desk, lead_id)
    assert (state, ended, len(steps)) == ("stopped", "meeting", 3)
    desk.clock.move(7200)
    play(desk)
    assert not made(desk, NoteWrite)


def test_gone_quiet_by_time_alone(desk: Desk) -> None:
    publish(desk, shipped("gone-quiet").replace('tier = ["a", "b", "c"]', 'tier = ["a", "b", "c", "d"]'))
    lead_id = lead(desk)
    acts(desk, EngagementKind.PAGE_VIEWED)
    desk.clock.move(13 * 86_400)
    play(desk)
    assert history(desk, lead_id) == []
    desk.clock.move(86_400 + 60)
    play(desk)
    ((name, state, _, steps),) = history(desk, lead_id)
    assert (name, state, [one for one, _ in steps]) == ("gone-quiet", "running", ["note", "task", "wait"])
    acts(desk, EngagementKind.EMAIL_REPLIED)
    assert history(desk, lead_id)[0][1:3] == ("stopped", "reply")


def test_a_silence_that_was_over_before_starts_nothing(desk: Desk) -> None:
    lead_id = lead(desk)
    desk.clock.move(30 * 86_400)
    publish(desk, shipped("gone-quiet").replace('tier = ["a", "b", "c"]', 'tier = ["a", "b", "c", "d"]'))
    play(desk)
    desk.clock.move(30 * 86_400)
    play(desk)
    assert history(desk, lead_id) == []


def test_re_engaged(desk: Desk) -> None:
    publish(desk, shipped("re-engaged"))
    lead_id = lead(desk)
    house = desk.house
    with house.db.transaction():  # as it stood when it was cold
        mark = house.playbooks.mark(lead_id)
        assert mark is not None
        house.db.run("UPDATE playbook_look SET tier = 'd' WHERE lead_id = ?", lead_id)
    acts(desk, *[FORM, EngagementKind.EMAIL_CLICKED, EngagementKind.PROPOSAL_VIEWED] * 4)
    stored = house.scores.newest(lead_id)
    assert stored is not None
    assert stored.score.tier.value in "ab", "or this test shows nothing"
    ((_, state, _, steps),) = history(desk, lead_id)
    assert state == "running"
    assert [one for one, _ in steps] == ["alert", "branch", "stage", "task", "wait"]
    assert LeadWrite("1", stage="mql") in made(desk, LeadWrite)
    desk.clock.move(2 * 86_400)
    play(desk)
    assert history(desk, lead_id)[0][1] == "done"


def test_one_run_for_one_lead_until_it_may_run_again(desk: Desk) -> None:
    publish(desk, "[playbooks.x]\nagain = '2d'\n" + ON_FORM.format("x") + step("note", text="Hello"))
    lead_id = lead(desk)
    for _ in range(3):
        acts(desk, FORM)
    assert len(history(desk, lead_id)) == 1
    desk.clock.move(2 * 86_400)
    acts(desk, FORM)
    assert len(history(desk, lead_id)) == 2
    assert len(made(desk, NoteWrite)) == 2


def test_once_in_a_life_without_again(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("note", text="Hello"))
    lead_id = lead(desk)
    acts(desk, FORM)
    desk.clock.move(300 * 86_400)
    acts(desk, FORM)
    assert len(history(desk, lead_id)) == 1


def test_an_act_told_late_starts_nothing(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("note", text="Hello"))
    lead_id = lead(desk)
    desk.tell(MAIL, act(EMAIL, desk.clock.now() - timedelta(days=2), FORM))
    play(desk)
    assert history(desk, lead_id) == []


def test_a_machine_starts_nothing(desk: Desk) -> None:
    publish(desk, ANY + step("note", text="Hello"))
    lead_id = lead(desk)
    desk.tell(MAIL, act(EMAIL, desk.clock.now(), machine=True))
    play(desk)
    assert history(desk, lead_id) == []


def test_what_was_there_before_starts_nothing(desk: Desk) -> None:
    lead_id = lead(desk)
    acts(desk, FORM)
    publish(desk, ON_FORM.format("x") + step("note", text="Hello"))
    play(desk)
    assert history(desk, lead_id) == []
    desk.clock.move(60)
    acts(desk, FORM)
    assert len(history(desk, lead_id)) == 1


def test_a_stage_that_a_run_sets_itself_starts_no_other(desk: Desk) -> None:
    publish(
        desk,
        "[playbooks.x]\nagain = '1d'\n[playbooks.x.when]\non = 'stage'\nto = ['sales_qualified', 'opportunity']\n"
        + step("stage", to="opportunity"),
    )
    lead_id = lead(desk, lifecycle_stage="lead")
    desk.tell(CRM, change("1", desk.clock.now() + timedelta(seconds=1), lifecycle_stage="sales_qualified"))
    play(desk)
    assert len(history(desk, lead_id)) == 1
    desk.clock.move(3 * 86_400)
    desk.tell(CRM, change("1", desk.clock.now(), lifecycle_stage="opportunity"))  # told late, no echo any more
    play(desk)
    assert len(history(desk, lead_id)) == 1


@pytest.mark.parametrize("kind", [EngagementKind.UNSUBSCRIBED, EngagementKind.SPAM_REPORTED])
def test_opting_out_stops(desk: Desk, kind: EngagementKind) -> None:
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "1d"}) + step("note", text="Hello"))
    lead_id = lead(desk)
    acts(desk, FORM)
    acts(desk, kind)
    assert history(desk, lead_id)[0][1:3] == ("stopped", "opt_out")


def test_a_stage_reached_stops(desk: Desk) -> None:
    publish(
        desk,
        ON_FORM.format("x")
        + "[playbooks.x.stop]\nstages = ['opportunity']\n"
        + step("wait", **{"for": "1d"})
        + step("note", text="H"),
    )
    lead_id = lead(desk)
    acts(desk, FORM)
    desk.tell(CRM, change("1", desk.clock.now() + timedelta(seconds=1), lifecycle_stage="opportunity"))
    play(desk)
    assert history(desk, lead_id)[0][1:3] == ("stopped", "stage")


def test_an_erased_lead_is_left_alone(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "1d"}) + step("note", text="Hello"))
    lead_id = lead(desk)
    acts(desk, FORM)
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    assert history(desk, lead_id)[0][1:3] == ("stopped", "erased")
    assert "corp" not in str(desk.house.playbooks.of_lead(lead_id))


def test_a_withdrawn_playbook_stops_its_runs_and_a_changed_one_ends_as_it_began(desk: Desk) -> None:
    old = ON_FORM.format("x") + step("wait", **{"for": "1d", "business": False}) + step("note", text="Old")
    publish(desk, old)
    one = lead(desk)
    acts(desk, FORM)
    publish(desk, old.replace("Old", "New"))
    desk.clock.move(86_401)
    play(desk)
    assert [note.body for note in made(desk, NoteWrite) if isinstance(note, NoteWrite)] == ["Old"]
    assert history(desk, one)[0][1] == "done"
    two = lead(desk, "2", "b@other.example", company="Other")
    desk.tell(MAIL, act("b@other.example", desk.clock.now(), FORM))
    play(desk)
    publish(desk, "[playbooks.x]\nenabled = false\n" + old)
    desk.clock.move(86_401)
    play(desk)
    assert history(desk, two)[0][1:3] == ("stopped", "withdrawn")


def test_a_process_that_has_not_heard_of_a_new_playbook_does_not_stop_its_runs(desk: Desk) -> None:
    publish(desk, "[playbooks.y.when]\non = 'score'\nabove = 100\n[[playbooks.y.steps]]\ndo = 'note'\ntext = 'n'\n")
    lead_id = lead(desk)
    text = ON_FORM.format("x") + step("note", text="Hello")
    with desk.house.db.transaction():
        desk.house.playbooks.publish("another", text, "cli:test", "by another process, a moment ago")
        desk.house.playbooks.start("x", lead_id, 1, "act:1", parse_playbooks(text).by_name["x"].table, 0)
    sweep_playbooks(desk.house)
    assert history(desk, lead_id)[0][1:3] == ("done", "done")


def test_a_file_that_the_program_cannot_read_any_more_stops_nothing(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "1h", "business": False}) + step("note", text="Hello"))
    lead_id = lead(desk)
    acts(desk, FORM)
    with desk.house.db.transaction():
        desk.house.playbooks.publish("another", "[playbooks.x]\nof = 'tomorrow'\n", "cli:test", "by a newer version")
    desk.house.playbook_shelf = PlaybookShelf(desk.house.playbooks, desk.clock)  # as after a restart
    desk.clock.move(3_601)
    play(desk)
    assert history(desk, lead_id)[0][1:3] == ("done", "done")


def test_a_lead_that_ended_starts_nothing(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("note", text="Hello"))
    lead_id = lead(desk)
    desk.house.leads.settle(lead_id, Outcome.WON, desk.clock.now())
    acts(desk, FORM)
    assert history(desk, lead_id) == []


def test_merged_leads_have_one_run(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "1d"}) + step("note", text="Hello"))
    keep, gone = lead(desk), lead(desk, "2", "b@other.example", company="Other")
    acts(desk, FORM)
    desk.tell(MAIL, act("b@other.example", desk.clock.now(), FORM))
    play(desk)
    desk.house.leads.merge(keep, gone)
    assert [one[1:3] for one in history(desk, keep)] == [("running", None)]
    assert [one[1:3] for one in history(desk, gone)] == [("stopped", "merged")]
    desk.clock.move(2 * 86_400)
    play(desk)
    assert len(made(desk, NoteWrite)) == 1


def test_a_run_of_the_merged_goes_on_with_the_survivor(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "1d"}) + step("note", text="Hello"))
    gone, keep = lead(desk), lead(desk, "2", "b@other.example", company="Other")
    acts(desk, FORM)
    desk.house.leads.merge(keep, gone)
    assert [one[1] for one in history(desk, keep)] == ["running"]
    desk.clock.move(2 * 86_400)
    play(desk)
    (note,) = made(desk, NoteWrite)
    assert isinstance(note, NoteWrite)
    assert note.external_id == "2"


def test_a_wait_counts_business_time(desk: Desk) -> None:
    desk.house.settings.home.joinpath("policy.toml").write_text(
        '[hours]\nzone = "UTC"\n"mon-fri" = "09:00-17:00"\n[teams.sales]\nreps = ["*"]\n', encoding="utf-8"
    )
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "8h"}) + step("note", text="Hello"))
    lead_id = lead(desk)  # Monday noon
    acts(desk, FORM)
    (run,) = desk.house.playbooks.of_lead(lead_id)
    assert run.due_at == desk.clock.now() + timedelta(days=1)


def test_no_message_to_the_person_in_quiet_hours(open_one: Callable[..., Desk]) -> None:
    smtp = {"host": "mail.test", "sender": "s@acme.example", "unsubscribe": "stop@acme.example"}
    desk = open_one(smtp=smtp)
    publish(
        desk,
        "[playbooks.x]\nquiet_hours = '11:00-14:00'\n"
        + ON_FORM.format("x")
        + step("note", text="At once")
        + step("email", subject="s", text="t"),
    )
    lead_id = lead(desk)  # at noon
    acts(desk, FORM)
    assert [one for one, _ in history(desk, lead_id)[0][3]] == ["note"]
    (run,) = desk.house.playbooks.of_lead(lead_id)
    assert run.due_at == desk.clock.now() + timedelta(hours=2)
    desk.clock.move(7_201)
    play(desk)
    assert history(desk, lead_id)[0][3][1] == ("email", "asked, to the lead")
    assert [one.destination for one in desk.house.effects.of_lead(lead_id) if one.kind is EffectKind.EMAIL] == ["smtp"]


def test_what_cannot_be_done_is_skipped_and_said(desk: Desk) -> None:
    publish(
        desk,
        ON_FORM.format("x")
        + step("email", subject="s", text="t")
        + step("webhook", to="nobody")
        + step("enrol", connection="mail", sequence="s")
        + step("note", text="Last"),
    )
    lead_id = lead(desk)
    acts(desk, FORM)
    ((_, state, _, steps),) = history(desk, lead_id)
    assert state == "done"
    assert [result.partition(":")[0] for _, result in steps] == ["skipped", "skipped", "skipped", "asked of crm"]


def test_who_opted_out_before_is_still_worked_and_not_written_to(open_one: Callable[..., Desk]) -> None:
    desk = open_one(smtp={"host": "mail.test", "sender": "s@acme.example", "unsubscribe": "stop@acme.example"})
    publish(desk, ON_FORM.format("x") + step("email", subject="s", text="t") + step("note", text="n"))
    lead_id = lead(desk, email_consent="no")
    acts(desk, FORM)
    assert history(desk, lead_id)[0][3] == [("email", "skipped: the person opted out"), ("note", "asked of crm")]


def test_a_look_that_breaks_keeps_no_other_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(desk, ON_FORM.format("x") + step("note", text="Hello"))
    one, two = lead(desk), lead(desk, "2", "b@other.example", company="Other")
    newest = desk.house.scores.newest
    desk.tell(MAIL, act(EMAIL, desk.clock.now(), FORM), act("b@other.example", desk.clock.now(), FORM))
    desk.run()

    def trip(lead_id: int) -> object:
        if lead_id == one:
            raise KeyError("a@corp.example")
        return newest(lead_id)

    monkeypatch.setattr(desk.house.scores, "newest", trip)
    sweep_playbooks(desk.house)
    assert (len(history(desk, one)), len(history(desk, two))) == (0, 1)
    monkeypatch.setattr(desk.house.scores, "newest", newest)
    desk.clock.move(61)
    sweep_playbooks(desk.house)
    assert len(history(desk, one)) == 1


def test_a_merge_that_is_undone_gives_the_run_back(desk: Desk) -> None:
    publish(desk, ON_FORM.format("x") + step("wait", **{"for": "1d"}) + step("note", text="Hello"))
    gone, keep = lead(desk), lead(desk, "2", "b@other.example", company="Other")
    acts(desk, FORM)
    desk.house.leads.merge(keep, gone)
    (merge,) = desk.house.leads.merges(keep)
    desk.house.leads.part(merge.id, "cli:test")
    assert [one[1] for one in history(desk, gone)] == ["running"]
    assert history(desk, keep) == []


def test_a_worker_that_breaks_takes_no_run_back_that_another_carried_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(desk, ON_FORM.format("x") + step("note", text="one") + step("wait", **{"for": "1h"}) + step("note", text="two"))
    one = lead(desk)
    desk.tell(MAIL, act(EMAIL, desk.clock.now(), FORM))
    desk.run()
    assert look(desk.house, one) == 1
    carried_on: list[bool] = []

    def breaks(house: House, due: Run) -> None:
        if not carried_on:
            carried_on.append(True)
            advance(house, due)  # another worker
            raise Retriable("The database did not answer.")
        advance(house, due)

    monkeypatch.setattr(runs, "advance", breaks)
    sweep_playbooks(desk.house)
    (run,) = desk.house.playbooks.of_lead(one)
    assert (run.position, run.due_at) == (2, desk.clock.now() + timedelta(hours=1))
    desk.clock.move(3600)
    play(desk)
    assert [run.state for run in desk.house.playbooks.of_lead(one)] == ["done"]
    assert [write.body for write in made(desk, NoteWrite) if isinstance(write, NoteWrite)] == ["one", "two"]
