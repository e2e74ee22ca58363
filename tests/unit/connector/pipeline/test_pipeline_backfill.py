"""A CRM's history on the first day, and what webhooks missed later: resumable, repeatable, and never against what is newer here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector import commands
from connector.clock import to_ms
from connector.commands import Actor
from connector.errors import Configuration, Retriable
from connector.pipeline import backfill, reconcile
from connector.pipeline.accounts import newest_reading
from connector.pipeline.rescore import rescore
from connector.ports import BackfillPage
from connector.testing import NOON
from leads.enums import EngagementKind, Outcome, Role
from leads.records import EngagementEvent
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change

BEFORE = NOON - timedelta(days=30)
BOSS = Actor("cli", "boss", Role.ADMIN)


def page(number: int, cursor: str | None) -> BackfillPage:
    """Sixty leads, each with an act; every third one ended."""
    ids = [f"{number}-{place}" for place in range(60)]
    leads = [change(one, BEFORE, email=f"{one}@corp.example", title="CEO", owner_id="101") for one in ids]
    acts = [
        EngagementEvent(f"acts-{one}", EngagementKind.EMAIL_OPENED, BEFORE + timedelta(hours=1), external_id=one) for one in ids
    ]
    outcomes = {one: (Outcome.WON if place % 2 else Outcome.LOST, NOON) for place, one in enumerate(ids) if place % 3 == 0}
    return BackfillPage(leads, acts, outcomes, cursor, 120)


class Past:
    """A CRM with two pages that breaks in between as often as told."""

    def __init__(self, desk: Desk, breaks: int = 0) -> None:
        self.breaks, self.asked = breaks, []  # type: ignore[var-annotated]
        self.pages = [page(1, "after-1"), page(2, None)]
        desk.crm.backfill = self.backfill  # type: ignore[attr-defined]

    def backfill(self, cursor: str | None = None) -> Iterator[BackfillPage]:
        self.asked.append(cursor)
        if cursor is None:
            yield self.pages[0]
        if self.breaks:
            self.breaks -= 1
            raise Retriable("Down.")
        yield self.pages[1]


def census(desk: Desk) -> list[Any]:
    house = desk.house
    return [house.leads.count(), len(house.histories.outcomes()), house.decisions.open_counts(), house.effects.counts()]


def test_an_interrupted_backfill_goes_on_where_it_stopped_and_a_second_changes_nothing(desk: Desk) -> None:
    past, told = Past(desk, breaks=1), []
    with pytest.raises(Retriable):
        backfill.run(desk.house, CRM)
    report = backfill.run(desk.house, CRM, lambda done, total: told.append((done, total)))
    assert past.asked == [None, "after-1"]
    assert (report.owners, report.leads, report.engagements, report.outcomes) == (3, 60, 60, 20)
    assert told == [(60, 120)]
    first = census(desk)
    assert first[:2] == [120, 40]
    again = backfill.run(desk.house, CRM)
    assert (again.leads, again.engagements) == (120, 0)
    assert census(desk) == first
    desk.run()
    assert census(desk) == first, "history is not routed"


def test_a_backfill_routes_nobody_until_something_live_happens(desk: Desk) -> None:
    Past(desk)
    backfill.run(desk.house, CRM)
    lead_id = desk.lead("1-1")
    desk.tell(MAIL, act("1-1@corp.example"))
    desk.run()
    lead = desk.house.leads.get(lead_id)
    assert lead is not None
    assert (lead.routable, lead.owner_id) == (True, "2")
    decision = desk.house.decisions.newest(lead_id)
    assert decision is not None
    assert decision.outcome.value == "kept", "the owner it had in the CRM keeps it"
    ended = desk.lead("1-0")
    desk.tell(MAIL, act("1-0@corp.example"))
    desk.run()
    assert desk.house.decisions.newest(ended) is None, "what ended stays ended"


def test_old_history_does_not_overwrite_what_is_newer_here(desk: Desk) -> None:
    desk.tell(CRM, change("1-1", NOON, email="1-1@corp.example", title="Chairwoman", owner_id="102"))
    desk.run()
    commands.reassign(desk.house, desk.lead("1-1"), "1", BOSS, "")
    Past(desk)
    backfill.run(desk.house, CRM)
    lead = desk.house.leads.get(desk.lead("1-1"))
    assert lead is not None
    assert (lead.fields["title"], lead.owner_id) == ("Chairwoman", "1")
    assert desk.house.decisions.open_counts() == {"1": 1}


def test_history_and_live_news_at_once_agree_in_either_order(desk: Desk) -> None:
    live = change("1-1", NOON, title="Chairwoman")
    Past(desk)
    desk.tell(CRM, live)
    backfill.run(desk.house, CRM)
    desk.tell(CRM, replace(live, event_key="again", external_id="1-2"))
    one, other = (desk.house.histories.at(desk.lead(name), NOON) for name in ("1-1", "1-2"))
    assert one is not None
    assert other is not None
    assert (one.facts["title"], len(one.engagements)) == (other.facts["title"], len(other.engagements)) == ("Chairwoman", 1)


def test_a_connection_without_a_crm_says_so(desk: Desk) -> None:
    for call in (backfill.run, reconcile.reconcile):
        with pytest.raises(Configuration, match="not a CRM"):
            call(desk.house, MAIL)


class Changed:
    """What a CRM says changed since a moment, newest last."""

    def __init__(self, desk: Desk, *pages: BackfillPage) -> None:
        self.pages, self.asked = pages, []  # type: ignore[var-annotated]
        desk.crm.changed_since = self.changed_since  # type: ignore[attr-defined]

    def changed_since(self, moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        self.asked.append((moment, after_id))
        yield from self.pages


def test_reconciling_routes_whom_no_webhook_spoke_of_and_goes_on_from_there(desk: Desk) -> None:
    mark = f"{to_ms(NOON)}:9"
    missed = change("9", NOON, email="nine@corp.example", title="CEO")
    told = Changed(desk, BackfillPage([missed], [], {}, mark))
    report = reconcile.reconcile(desk.house, CRM)
    assert (report.leads, report.recovered) == (1, 1)
    desk.run()
    assert sum(desk.house.decisions.open_counts().values()) == 1
    assert reconcile.reconcile(desk.house, CRM).recovered == 0
    assert told.asked == [(NOON - timedelta(hours=24), None), (NOON, "9")]


def test_a_record_that_stands_twice_in_a_page_is_routed(desk: Desk) -> None:
    """As it was made, and as it is now."""
    both = [change("9", NOON - timedelta(hours=1), email="nine@corp.example"), change("9", NOON, title="CEO")]
    Changed(desk, BackfillPage(both, [], {}, None))
    assert reconcile.reconcile(desk.house, CRM).recovered == 1
    desk.run()
    assert sum(desk.house.decisions.open_counts().values()) == 1


def test_an_owner_whose_change_no_webhook_told_holds_the_lead_with_everything(desk: Desk) -> None:
    desk.tell(CRM, change("9", BEFORE, email="nine@corp.example", title="CEO", owner_id="100"))
    desk.run()
    desk.clock.move(3600)
    Changed(desk, BackfillPage([change("9", desk.clock.now(), owner_id="102")], [], {}, None))
    reconcile.reconcile(desk.house, CRM)
    lead = desk.house.leads.get(desk.lead("9"))
    assert lead is not None
    assert lead.owner_id == "3"
    assert desk.house.decisions.open_counts() == {"3": 1}, "who holds it by the record and by the assignment is one"


def test_reps_follow_the_crm_but_keep_what_people_set(desk: Desk) -> None:
    house = desk.house
    commands.set_rep(house, "1", {"weight": 3}, BOSS)
    left = [one for one in desk.crm.owners() if one.external_id != "101"]
    house.reps.sync(CRM, [*left, replace(left[0], external_id="200", email=None, name="Dan", teams=("Inside", "x"))])
    known = {rep.external_id: rep for rep in house.reps.all(CRM)}
    assert known["100"].settings == {"weight": 3}
    assert not known["101"].active, "who left gets nothing"
    assert (known["200"].active, known["200"].crm_teams, known["200"].email) == (True, ("Inside", "x"), None)
    assert known["200"].team == "Inside"
    commands.set_rep(house, known["200"].id, {"team": "Field"}, BOSS)
    dan = house.reps.for_owner(CRM, "200")
    assert (dan.team, dan.crm_teams) == ("Field", ("Inside", "x")), "what a person set wins, and the CRM's word is kept"
    house.reps.sync(CRM, [])
    assert known["100"].active, "an empty list is a fault of the CRM, not the end of the company"
    stranger = house.reps.for_owner(CRM, "999")
    assert (stranger.active, stranger.name) == (False, "Owner 999")


def test_rescoring_scores_and_routes_nobody(desk: Desk) -> None:
    Past(desk)
    backfill.run(desk.house, CRM)
    ids = [desk.lead(f"1-{place}") for place in range(60)]
    assert rescore(desk.house, [[*ids, 99_999]]).scored == 60
    assert all(desk.house.scores.newest(one) for one in ids)
    desk.run()
    assert desk.house.decisions.open_counts() == {}


def test_a_crm_is_asked_again_and_again_from_when_it_was_first_known(desk: Desk) -> None:
    """What was there before is for a backfill: nobody wants last week's leads given out because a connection was added."""
    told = Changed(desk, BackfillPage([change("9", NOON, email="nine@corp.example")], [], {}, f"{to_ms(NOON)}:9"))
    begun = desk.clock.now()
    assert reconcile.ring_due(desk.house) == 1
    report = reconcile.reconcile_in_turn(desk.house, CRM)
    assert report is not None
    assert told.asked == [(begun, None)]
    assert reconcile.ring_due(desk.house) == 0
    assert reconcile.reconcile_in_turn(desk.house, CRM) is None, "a bell that came late"
    desk.clock.move(15 * 60)
    assert reconcile.ring_due(desk.house) == 1
    assert reconcile.reconcile_in_turn(desk.house, CRM) is not None
    newest = reconcile.newest_run(desk.house, CRM)
    assert newest is not None
    assert (newest[0], newest[1]["recovered_ever"]) == (desk.clock.now(), 1)


def test_a_crm_that_could_not_be_asked_is_asked_soon_again(desk: Desk) -> None:
    Changed(desk)
    desk.crm.changed_since = lambda *_: iter_failing(Retriable("HubSpot did not answer."))  # type: ignore[attr-defined]
    with pytest.raises(Retriable):
        reconcile.reconcile_in_turn(desk.house, CRM)
    newest = reconcile.newest_run(desk.house, CRM)
    assert newest is not None
    assert newest[1]["error"] == "HubSpot did not answer."
    assert not reconcile.is_due(desk.house, CRM)
    desk.clock.move(60)
    assert reconcile.is_due(desk.house, CRM)


def test_two_workers_do_not_ask_at_once(desk: Desk) -> None:
    seen: list[object] = []

    def ask(moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        seen.append(reconcile.reconcile_in_turn(desk.house, CRM))
        return iter(())

    desk.crm.changed_since = ask  # type: ignore[attr-defined]
    assert reconcile.reconcile_in_turn(desk.house, CRM) is not None
    assert seen == [None]


def test_a_worker_that_overstayed_gives_back_no_lease_but_its_own(desk: Desk) -> None:
    def ask(moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        desk.clock.move(reconcile.LEASE_S + 1)
        assert desk.house.cells.lease(f"lease:reconcile:{CRM}", "another", reconcile.LEASE_S)
        return iter(())

    desk.crm.changed_since = ask  # type: ignore[attr-defined]
    reconcile.reconcile_in_turn(desk.house, CRM)
    assert not desk.house.cells.lease(f"lease:reconcile:{CRM}", "a third", reconcile.LEASE_S)


def test_companies_that_cannot_be_read_now_keep_no_lead_waiting(desk: Desk) -> None:
    desk.crm.accounts = lambda: iter_failing(Retriable("The CRM did not answer."))  # type: ignore[attr-defined]
    Changed(desk, BackfillPage([change("9", NOON, email="nine@corp.example")], [], {}, f"{to_ms(NOON)}:9"))
    report = reconcile.reconcile_in_turn(desk.house, CRM)
    assert report is not None
    assert (report.leads, report.recovered) == (1, 1)
    assert not reconcile.is_due(desk.house, CRM)
    assert newest_reading(desk.house, CRM) is None, "they are asked for again with the next turn"


def iter_failing(error: Exception) -> Iterator[BackfillPage]:
    raise error
    yield
