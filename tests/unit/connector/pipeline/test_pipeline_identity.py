"""Merging: one person, one lead, one owner; and two persons stay two. What is deleted stays deleted whatever comes late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector import commands
from connector.commands import Actor
from connector.commands.merges import part_leads
from connector.storage.models import Merge
from connector.storage.spelled import rows, set_where
from connector.storage.threads import Told
from connector.testing import NOON
from leads.enums import ChangeKind, EffectKind, EngagementKind, Outcome, Role, Tier
from leads.records import LeadChange
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change

EARLIER = NOON - timedelta(hours=2)
BOSS = Actor("cli", "boss", Role.ADMIN)


def test_two_leads_that_turn_out_to_be_one_person_join_with_everything_they_had(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, first_name="Ann", title="Clerk", phone="+49 30 1234567"))
    desk.tell(MAIL, act("ann@corp.example", EARLIER, text="call me"))
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert desk.house.leads.count() == 1
    history = desk.house.histories.at(lead.id, NOON)
    assert history is not None
    assert [one.text for one in history.engagements] == ["call me"], "sealed under the other's key, and still readable"
    assert history.facts["title"] == "Clerk"
    before = desk.house.histories.at(lead.id, EARLIER)
    assert before is not None
    assert before.facts.get("email") == "ann@corp.example", "the e-mail tool knew it then"
    assert desk.run() > 0
    assert desk.house.scores.newest(lead.id) is not None


def test_of_two_values_the_newer_survives_a_merge_whichever_lead_had_it(desk: Desk) -> None:
    for survivor, times in (("11", (EARLIER, NOON)), ("12", (NOON, EARLIER))):
        email = f"a{survivor}@corp.example"
        desk.tell(CRM, change(f"x{survivor}", times[1], email=email, title="newer" if times[1] > times[0] else "older"))
        desk.tell(CRM, change(survivor, times[0], title="newer" if times[0] > times[1] else "older"))
        desk.tell(CRM, change(survivor, NOON, email=email))
        history = desk.house.histories.at(desk.lead(survivor), NOON)
        assert history is not None
        assert history.facts["title"] == "newer"


@pytest.mark.parametrize("owned", ["survivor", "other", "both"])
def test_an_existing_owner_survives_a_merge_and_holds_it_alone(desk: Desk, owned: str) -> None:
    house = desk.house
    desk.tell(CRM, change("1", EARLIER, title="CEO"))
    desk.tell(CRM, change("2", EARLIER, email="ann@corp.example"))
    first, second = desk.lead("1"), desk.lead("2")
    if owned in ("survivor", "both"):
        commands.reassign(house, first, "1", BOSS, "")
    if owned in ("other", "both"):
        commands.reassign(house, second, "2", BOSS, "")
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    merged = house.leads.get(second)
    assert merged is not None
    assert merged.id == first
    holder = "2" if owned == "other" else "1"
    assignment = house.decisions.open_assignment(first)
    assert assignment is not None
    assert (merged.owner_id, assignment.rep_id) == (holder, holder)
    assert house.decisions.open_counts() == {holder: 1}, "the load of whoever lost it is given back"
    assert house.decisions.open_assignment(second) is None
    assert merged.pinned
    rep = Actor("slack", "U", Role.REP, holder)
    assert commands.accept(house, second, rep).ok, "a click on the other's card still reaches the lead"
    desk.run()
    assert house.decisions.open_counts() == {holder: 1}


def test_what_waits_to_go_out_about_both_goes_out_once(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, title="CEO", country="DE"), change("2", EARLIER, title="CEO", email="ann@corp.example"))
    desk.route()
    waiting = {effect.lead_id for one in ("1", "2") for effect in desk.house.effects.of_lead(desk.lead(one))}
    assert waiting == {desk.lead("1"), desk.lead("2")}
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    survivor = desk.lead("1")
    desk.run()
    desk.clock.move(24 * 3600)  # digests wait for so long
    for to in (CRM, "slack"):
        desk.house.queue.ring_deliver(to)
    desk.run()
    assert desk.house.effects.counts() == {}
    assert {lead_id for lead_id, _ in desk.slack.posted} | {one for _, ids in desk.slack.digests for one in ids} == {survivor}
    assert {write.external_id for write, _ in desk.crm.writes} == {"1"}
    assert len(desk.crm.made) == 1


def test_what_a_playbook_or_a_deadline_asked_for_keeps_its_name_when_two_become_one(desk: Desk) -> None:
    """Its name is what a receiver knows repeats by, and stands for a run or an assignment, whatever number the lead has."""
    desk.tell(CRM, change("1", EARLIER, email="one@a.example"), change("2", EARLIER, email="two@b.example"))
    gone, keep = desk.lead("1"), desk.lead("2")
    names = {f"playbook:{gone}:0", f"playbook:{gone}2:1", f"sla:{gone}:warn", f"snooze:{gone}", f"card:{gone}:dm:{gone}"}
    with desk.house.db.transaction():
        for name in names:
            desk.house.effects.add(EffectKind.WEBHOOK, "webhook.x", name, gone)
        desk.house.effects.add(EffectKind.WEBHOOK, "webhook.x", f"playbook:{keep}:0", keep)
        desk.house.leads.merge(keep, gone)
    found = {row.subject: row.state for row in desk.house.effects.of_lead(keep) if row.kind is EffectKind.WEBHOOK}
    kept = names - {f"card:{gone}:dm:{gone}"} | {f"card:{keep}:dm:{gone}", f"playbook:{keep}:0"}
    assert found == dict.fromkeys(kept, "pending")


def test_colleagues_behind_one_switchboard_number_stay_two(desk: Desk) -> None:
    number = "+49 30 9876543"
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example", phone=number))
    desk.tell(CRM, change("2", EARLIER, email="bo@corp.example", phone=number))
    desk.tell(CRM, change("1", NOON, phone=number, title="CEO"))
    desk.tell(CRM, change("2", NOON, phone=number, title="Clerk"))
    assert desk.lead("1") != desk.lead("2")
    assert desk.house.leads.count() == 2
    titles = [lead.fields["title"] for name in ("1", "2") if (lead := desk.house.leads.get(desk.lead(name)))]
    assert titles == ["CEO", "Clerk"]


def test_an_address_that_was_given_to_somebody_else_follows_its_new_holder(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="sales@corp.example"))
    desk.tell(CRM, change("1", EARLIER + timedelta(hours=1), email="ann@corp.example"))
    desk.tell(CRM, change("2", NOON, email="sales@corp.example"))
    assert desk.lead("1") != desk.lead("2")
    desk.tell(MAIL, act("sales@corp.example"))
    history = desk.house.histories.at(desk.lead("2"), NOON)
    assert history is not None
    assert len(history.engagements) == 1


def test_an_old_address_still_finds_its_person(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@old.example"))
    desk.tell(CRM, change("1", NOON, email="ann@new.example"))
    desk.tell(MAIL, act("ann@old.example"))
    assert desk.house.leads.count() == 1


def merge_event(into: str, *gone: str) -> LeadChange:
    return LeadChange(f"m{into}{gone}", into, NOON, ChangeKind.MERGED, merged_ids=gone)


def test_a_merge_in_the_crm_is_followed_and_a_deletion_of_the_lesser_record_ends_nothing(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example"), change("2", EARLIER, email="ann@home.example"))
    desk.run()
    desk.tell(CRM, merge_event("3", "1", "2"))
    desk.tell(CRM, change("2", NOON + timedelta(seconds=1), ChangeKind.DELETED))
    desk.run()
    lead = desk.house.leads.get(desk.lead("3"))
    assert lead is not None
    assert {desk.lead(one) for one in ("1", "2", "3")} == {lead.id}
    assert lead.external_id == "3"
    assert lead.routable
    assert desk.house.leads.count() == 1
    assert sum(desk.house.decisions.open_counts().values()) == 1


def test_a_merge_of_records_nobody_heard_of_is_nothing(desk: Desk) -> None:
    assert desk.states(desk.tell(CRM, merge_event("3", "1", "2"))) == ["ignored"]
    assert desk.house.leads.count() == 0


def test_a_deleted_record_is_not_brought_back_by_what_comes_late(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example"))
    desk.run()
    lead_id = desk.lead("1")
    desk.tell(CRM, change("1", NOON, ChangeKind.DELETED))
    desk.tell(CRM, change("1", EARLIER + timedelta(minutes=1), title="CEO"))
    desk.tell(MAIL, act("ann@corp.example"))
    desk.run()
    lead = desk.house.leads.get(lead_id)
    assert lead is not None
    assert (lead.routable, lead.owner_id) == (False, None)
    assert desk.house.decisions.open_assignment(lead_id) is None
    again = desk.tell(CRM, change("1", NOON, ChangeKind.DELETED))
    assert desk.states(again) == ["ignored"]


@pytest.mark.parametrize("order", [("deleted", "restored"), ("restored", "deleted")])
def test_a_restored_record_lives_whichever_notice_comes_first(desk: Desk, order: tuple[str, str]) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example"))
    said = {
        "deleted": change("1", EARLIER + timedelta(minutes=5), ChangeKind.DELETED),
        "restored": change("1", EARLIER + timedelta(minutes=9), ChangeKind.RESTORED),
    }
    for what in order:
        desk.tell(CRM, said[what])
    desk.run()
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert (lead.routable, lead.external_id) == (True, "1")
    assert desk.house.decisions.open_assignment(lead.id) is not None


@pytest.mark.parametrize(
    ("fields", "outcome"), [({"lifecycle_stage": "customer"}, Outcome.WON), ({"lead_status": "Unqualified"}, Outcome.LOST)]
)
def test_a_lead_that_ended_is_not_given_out_again(desk: Desk, fields: dict[str, str], outcome: Outcome) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example", title="CEO"))
    desk.run()
    lead_id, made = desk.lead("1"), len(desk.crm.made)
    desk.tell(CRM, change("1", NOON, **fields))
    desk.run()
    desk.tell(MAIL, act("ann@corp.example", kind=EngagementKind.EMAIL_REPLIED))
    desk.tell(CRM, change("1", NOON, title="Chairwoman"))
    desk.run()
    lead = desk.house.leads.get(lead_id)
    assert lead is not None
    assert lead.outcome is outcome
    assert desk.house.decisions.open_assignment(lead_id) is None
    assert len(desk.crm.made) == made, "nobody is told to follow it up"


def test_an_owner_set_in_the_crm_holds_and_is_pinned(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example", owner_id="101"))
    desk.run()
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert lead.owner_id == "2"
    desk.tell(CRM, change("1", NOON, owner_id="102"))
    desk.run()
    lead = desk.house.leads.get(desk.lead("1"))
    assignment = desk.house.decisions.open_assignment(desk.lead("1"))
    assert lead is not None
    assert assignment is not None
    assert (lead.owner_id, assignment.rep_id, lead.pinned) == ("3", "3", True)
    assert desk.house.decisions.open_counts() == {"3": 1}


def test_an_owner_taken_away_before_the_decision_is_not_kept(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example", owner_id="102"))
    desk.tell(CRM, change("1", NOON, owner_id=None))
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert lead.owner_id is None
    desk.run()
    decision = desk.house.decisions.newest(lead.id)
    assert decision is not None
    assert decision.outcome.value == "assigned"


def test_a_person_may_take_our_owner_away_or_bring_an_earlier_one_back(desk: Desk) -> None:
    """Our own write comes back as an echo and is dropped: the CRM's fields must not be read as if it had not been."""
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example", owner_id="100"))
    desk.run()
    lead_id = desk.lead("1")
    commands.reassign(desk.house, lead_id, "2", BOSS, "")
    desk.run()
    desk.clock.move(60)
    desk.tell(CRM, change("1", desk.clock.now(), owner_id="100"))
    desk.run()
    assert desk.house.decisions.open_counts() == {"1": 1}
    desk.clock.move(60)
    commands.reassign(desk.house, lead_id, "3", BOSS, "")
    desk.run()
    desk.clock.move(60)
    desk.tell(CRM, change("1", desk.clock.now(), owner_id=None))
    assert set(desk.house.decisions.open_counts()) <= {"1", "2"}, "not whom it was taken from"
    desk.run()
    assert sum(desk.house.decisions.open_counts().values()) == 1
    decision = desk.house.decisions.newest(lead_id)
    assert decision is not None
    assert decision.outcome.value == "assigned"


def test_of_two_persons_choices_the_later_stands_whichever_we_hear_of_first(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, email="ann@corp.example"))
    desk.run()
    chosen_in_the_crm = change("1", desk.clock.now(), owner_id="102")
    desk.clock.move(5)
    commands.reassign(desk.house, desk.lead("1"), "2", BOSS, "")
    desk.clock.move(5)
    desk.tell(CRM, chosen_in_the_crm)
    assert desk.house.decisions.open_counts() == {"2": 1}


# -- likeness

BERGER = {"first_name": "Ann", "last_name": "Berger", "company": "Acme Systems GmbH", "website": "www.acme.example"}
BERGR = {"first_name": "Ann", "last_name": "Bergr", "company": "ACME Systems", "website": "acme.example"}


def merged(desk: Desk) -> list[tuple[str, int, int]]:
    return [(one.grounds.how, one.keep_id, one.gone_id) for one in desk.house.leads.merges() if one.undone_at is None]


def test_somebody_misspelt_is_one_lead_with_one_rep(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, **BERGER))
    desk.run()
    first = desk.lead("1")
    owner = desk.house.leads.get(first)
    desk.tell(CRM, change("2", NOON, **BERGR, title="CEO"))
    desk.run()
    after = desk.house.leads.get(first)
    assert owner is not None
    assert after is not None
    assert desk.lead("2") == first
    assert (after.owner_id, after.external_id, after.fields["title"]) == (owner.owner_id, "1", "CEO")
    assert sum(desk.house.decisions.open_counts().values()) == 1
    ((how, keep, _),) = merged(desk)
    assert (how, keep) == ("near", first)
    assert [entry.action for entry in desk.house.audit.entries(lead_id=first) if entry.action == "lead.merged"]


def test_a_spelling_that_is_mended_later_finds_its_person_too(desk: Desk) -> None:
    desk.tell(CRM, change("1", EARLIER, **BERGER))
    desk.tell(CRM, change("2", EARLIER, **{**BERGR, "last_name": "Bxxxxr"}))
    assert desk.house.leads.count() == 2
    desk.tell(CRM, change("2", NOON, last_name="Bergr"))
    assert desk.house.leads.count() == 1


def test_colleagues_and_relatives_stay_two(desk: Desk) -> None:
    for number, first in enumerate(("Ann", "Anna", "Bert")):
        desk.tell(CRM, change(str(number), EARLIER, **{**BERGER, "first_name": first}))
    assert desk.house.leads.count() == 3
    assert merged(desk) == []


def test_a_merge_that_was_wrong_is_taken_back_whole_and_stays_so(desk: Desk) -> None:
    house = desk.house
    desk.tell(CRM, change("1", EARLIER, **BERGER, email="ann@acme.example"))
    desk.tell(CRM, change("2", EARLIER, **{**BERGR, "last_name": "Bxxxxr"}, title="Clerk", email="bergr@gmail.com"))
    desk.tell(MAIL, act("bergr@gmail.com", EARLIER, text="call me"))
    first, second = desk.lead("1"), desk.lead("2")
    commands.reassign(house, first, "1", BOSS, "")
    commands.reassign(house, second, "2", BOSS, "")
    desk.tell(CRM, change("2", NOON, last_name="Bergr"))
    assert desk.lead("2") == first
    ((_, _, gone),) = merged(desk)
    assert gone == second
    desk.tell(CRM, change("1", NOON + timedelta(minutes=1), title="CEO"))
    done = part_leads(house, house.leads.merges()[0].id, BOSS)
    assert done.ok, done.text
    one, two = house.leads.get(first), house.leads.get(second)
    assert one is not None
    assert two is not None
    assert (one.id, one.external_id, one.owner_id, one.fields["title"]) == (first, "1", "1", "CEO")
    assert (two.id, two.external_id, two.owner_id, two.fields["title"]) == (second, "2", "2", "Clerk")
    assert (one.fields["last_name"], two.fields["last_name"]) == ("Berger", "Bergr")
    assert house.decisions.open_counts() == {"1": 1, "2": 1}
    acts = house.histories.at(second, NOON + timedelta(hours=1))
    assert acts is not None
    assert [engaged.text for engaged in acts.engagements] == ["call me"]
    desk.run()
    assert (house.scores.newest(first), house.scores.newest(second)) != (None, None)
    desk.tell(CRM, change("2", NOON + timedelta(minutes=2), company="Acme Systems AG"))
    desk.tell(CRM, change("1", NOON + timedelta(minutes=2), company="Acme Systems AG"))
    assert merged(desk) == [], "a person said that these are two"
    again = part_leads(house, house.leads.merges()[0].id, BOSS)
    assert (again.ok, again.text) == (False, "This merge was undone before.")


def test_a_merge_that_an_older_version_made_can_be_taken_back(desk: Desk) -> None:
    """It tells only of the tables that there were then."""
    house = desk.house
    desk.tell(CRM, change("1", EARLIER, **BERGER))
    desk.tell(CRM, change("2", EARLIER, **BERGR))
    ((_, keep, gone),) = merged(desk)
    number = house.leads.merges()[0].id
    (stored,) = rows(house.db, Merge, "WHERE id = ?", number)
    then = {name: ids for name, ids in stored.moved.items() if name in ("lead", "closed", "identity", "lead_change", "assignment")}
    set_where(house.db, Merge, {"moved": then}, "id = ?", number)
    assert part_leads(house, number, BOSS).ok
    assert {desk.lead("1"), desk.lead("2")} == {keep, gone}


def test_what_cannot_be_taken_back_is_said(desk: Desk) -> None:
    assert part_leads(desk.house, 99, BOSS).text == "There is no such merge."
    desk.tell(CRM, change("1", EARLIER, **BERGER))
    desk.tell(CRM, change("2", EARLIER, **BERGR))
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    assert part_leads(desk.house, desk.house.leads.merges()[0].id, BOSS).text == "The person was erased."


def test_one_person_waits_once_in_the_older_place(desk: Desk) -> None:
    waiting = desk.house.waiting
    desk.tell(CRM, change("1", EARLIER, title="CEO"), change("2", EARLIER, email="ann@corp.example"))
    first, second = desk.lead("1"), desk.lead("2")
    waiting.put(second, "sales", Tier.B, EARLIER)
    waiting.put(first, "sales", Tier.A, NOON)
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    (held,) = waiting.all()
    assert (held.lead_id, held.tier, held.since) == (first, Tier.A, EARLIER)


@pytest.mark.parametrize("owned", ["1", "2"])
def test_a_person_who_has_a_rep_waits_no_more(desk: Desk, owned: str) -> None:
    desk.tell(CRM, change("1", EARLIER, title="CEO"), change("2", EARLIER, email="ann@corp.example"))
    commands.reassign(desk.house, desk.lead(owned), "1", BOSS, "")
    desk.house.waiting.put(desk.lead("2" if owned == "1" else "1"), "sales", Tier.B, EARLIER)
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    assert desk.house.waiting.all() == []


def test_clocks_and_what_was_put_off_go_along_and_come_back(desk: Desk) -> None:
    house, later = desk.house, NOON + timedelta(hours=5)
    desk.tell(CRM, change("1", EARLIER, title="CEO"), change("2", EARLIER, email="ann@corp.example"))
    first, second = desk.lead("1"), desk.lead("2")
    commands.reassign(house, second, "2", BOSS, "")
    assignment = house.decisions.open_assignment(second)
    assert assignment is not None
    with house.db.transaction():
        house.timers.start(second, assignment.id, {"remind": later})
        house.snoozes.begin(second, "2", later, "slack:U")
        house.threads.save(second, "D2", Told(7, 8))
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    assert [stage for stage, *_ in house.timers.of_lead(first)] == ["remind"]
    snooze = house.snoozes.open(first)
    assert snooze is not None
    assert snooze.rep_id == "2"
    assert house.threads.told(first, "D2") == Told(7, 8)
    assert part_leads(house, house.leads.merges()[0].id, BOSS).ok
    assert house.timers.of_lead(first) == []
    assert [stage for stage, *_ in house.timers.of_lead(second)] == ["remind"]
    assert house.snoozes.open(first) is None
    assert house.snoozes.open(second) is not None
    assert house.threads.told(first, "D2") is None
    assert house.threads.told(second, "D2") == Told(7, 8)


def test_what_the_loser_of_two_reps_put_off_ends(desk: Desk) -> None:
    house, later = desk.house, NOON + timedelta(hours=5)
    desk.tell(CRM, change("1", EARLIER, title="CEO"), change("2", EARLIER, email="ann@corp.example"))
    first, second = desk.lead("1"), desk.lead("2")
    commands.reassign(house, first, "1", BOSS, "")
    commands.reassign(house, second, "2", BOSS, "")
    with house.db.transaction():
        house.snoozes.begin(second, "2", later, "slack:U")
    desk.tell(CRM, change("1", NOON, email="ann@corp.example"))
    assert house.snoozes.open(first) is None
    assert house.snoozes.open(second) is None
