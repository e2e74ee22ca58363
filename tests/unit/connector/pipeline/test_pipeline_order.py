"""Whatever order notices come in, and however often: the same lead, the same acts, the same features; each event once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.testing import NOON
from leads.enums import ChangeKind, EngagementKind
from leads.records import InboundEvent, LeadChange, LeadHistory
from scoring.features import build
from tests.unit.connector.pipeline.scripted import CRM, LONG_AGO, MAIL, Desk, act, as_json, change

MANY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
_people = count(1)

fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["CEO", "Clerk", None]),
        "country": st.sampled_from(["DE", "FR", "7", None]),
        "employees": st.sampled_from([10, 500, "10", None]),
        "first_name": st.sampled_from(["Ann", "Bo"]),
    },
)
hours = st.integers(0, 5)
#: What happened, without saying to whom: (hours ago, fields) in the CRM, (hours ago, kind) in the e-mail tool.
happenings = st.lists(
    st.tuples(hours, fields | st.sampled_from([EngagementKind.EMAIL_OPENED, EngagementKind.EMAIL_CLICKED])), min_size=1, max_size=6
)


@dataclass(frozen=True)
class Person:
    """Somebody nobody has heard of, to whom things happen."""

    number: int = field(default_factory=lambda: next(_people))

    @property
    def id(self) -> str:
        return f"p{self.number}"

    @property
    def email(self) -> str:
        return f"ann{self.number}@corp.example"

    def event(self, happening: tuple[int, Any]) -> InboundEvent:
        ago, what = happening
        at = NOON - timedelta(hours=ago)
        return act(self.email, at, what) if isinstance(what, EngagementKind) else change(self.id, at, email=self.email, **what)

    def created(self) -> InboundEvent:
        return change(self.id, LONG_AGO, ChangeKind.CREATED, email=self.email)


def tell_all(desk: Desk, events: Iterable[InboundEvent]) -> None:
    for event in events:
        desk.tell(CRM if isinstance(event, LeadChange) else MAIL, event)


def whole(desk: Desk, person: Person, as_of: datetime) -> LeadHistory:
    history = desk.house.histories.at(desk.lead(person.id), as_of)
    assert history is not None
    return history


def plain(desk: Desk, person: Person, as_of: datetime) -> str:
    """Everything of a history but the row number and the address, which differ between the persons compared."""
    history = whole(desk, person, as_of)
    facts = {name: value for name, value in history.facts.items() if name != "email"}
    acts = [(one.kind, one.occurred_at, one.machine, dict(one.properties)) for one in history.engagements]
    return as_json([history.created_at, facts, dict(history.extra), acts, build(history)])


@MANY
@given(what=happenings, data=st.data())
def test_any_order_and_any_repetition_gives_the_same_lead(desk: Desk, what: list[tuple[int, Any]], data: st.DataObject) -> None:
    straight, mixed = Person(), Person()
    tell_all(desk, [straight.created(), *(straight.event(one) for one in what)])
    events = [mixed.created(), *(mixed.event(one) for one in what)]
    tell_all(desk, data.draw(st.permutations([*events, *data.draw(st.lists(st.sampled_from(events), max_size=3))])))
    for ago in (-1, 0, 1, 3):
        as_of = NOON - timedelta(hours=ago)
        assert plain(desk, straight, as_of) == plain(desk, mixed, as_of)


@MANY
@given(what=happenings)
def test_a_history_is_equal_at_every_reading_and_knows_nothing_later(desk: Desk, what: list[tuple[int, Any]]) -> None:
    whole_story = Person()
    tell_all(desk, [whole_story.created(), *(whole_story.event(one) for one in what)])
    for ago in (0, 2, 4, 6):
        as_of = NOON - timedelta(hours=ago)
        told_so_far = Person()
        tell_all(desk, [told_so_far.created(), *(told_so_far.event(one) for one in what if one[0] >= ago)])
        first = plain(desk, whole_story, as_of)
        assert plain(desk, whole_story, as_of) == first
        assert plain(desk, told_so_far, as_of) == first, "something that came later is in it"


@pytest.mark.parametrize("order", list(permutations(["crm", "mail", "late e-mail"])))
def test_one_person_from_two_sources_in_any_order_is_one_lead(desk: Desk, order: tuple[str, ...]) -> None:
    person = Person()
    for what in order:
        if what == "crm":
            desk.tell(CRM, change(person.id, NOON - timedelta(hours=1), title="CEO"))
        elif what == "late e-mail":
            desk.tell(CRM, change(person.id, NOON, email=person.email.title()))
        else:
            desk.tell(MAIL, act(f" {person.email.upper()} "))
    lead = desk.house.leads.get(desk.lead(person.id))
    assert lead is not None
    assert desk.house.leads.count() == 1
    assert (lead.connection, lead.external_id) == (CRM, person.id)
    assert lead.routable
    assert len(whole(desk, person, NOON).engagements) == 1
    assert lead.fields["title"] == "CEO"


def test_an_event_has_one_effect_in_a_batch_and_across_batches(desk: Desk) -> None:
    one, other = act("ann@corp.example"), act("ann@corp.example")
    first = desk.tell(MAIL, one, one, other, one)
    again = desk.tell(MAIL, other, one)
    found = desk.house.leads.find(desk.house.leads.tokens("", None, {"email": "ann@corp.example"}))
    history = desk.house.histories.at(found[0], NOON)
    assert history is not None
    assert len(history.engagements) == 2
    assert desk.states(first) == ["applied", "applied"]
    assert desk.states(again) == []
    lead = desk.house.leads.get(found[0])
    assert lead is not None
    assert lead.version == 3  # made, and two acts


def test_the_same_key_in_two_connections_is_two_events(desk: Desk) -> None:
    same = act("ann@corp.example")
    desk.tell(MAIL, same)
    desk.tell(CRM, same)
    found = desk.house.leads.find(desk.house.leads.tokens("", None, {"email": "ann@corp.example"}))
    history = desk.house.histories.at(found[0], NOON)
    assert history is not None
    assert len(history.engagements) == 2


@pytest.mark.parametrize("ahead_s", [2, 86_400])
def test_a_vendor_whose_clock_is_ahead_hides_no_field_and_no_act(desk: Desk, ahead_s: int) -> None:
    person, soon = Person(), NOON + timedelta(seconds=ahead_s)
    desk.tell(CRM, change(person.id, soon, email=person.email, title="CEO"))
    desk.tell(MAIL, act(person.email, soon))
    history = whole(desk, person, desk.clock.now())
    assert history.facts["title"] == "CEO"
    assert len(history.engagements) == 1
    desk.clock.move(60)
    desk.tell(CRM, change(person.id, desk.clock.now(), title="Clerk"))
    assert whole(desk, person, desk.clock.now()).facts["title"] == "Clerk", "a date in the future must not hold a field for ever"
