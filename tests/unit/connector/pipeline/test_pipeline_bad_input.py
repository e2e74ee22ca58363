"""What a hostile or broken sender can put into a delivery: it becomes data, or a row kept for replay, and stops nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector import commands, letters
from connector.errors import Fatal, Retriable
from connector.pipeline.ingest import TRIES, ingest
from connector.storage.leads import Applied
from connector.storage.models import Inbox
from leads.enums import EngagementKind
from leads.records import FieldValue, LeadChange, UnrecognisedEvent
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change


def test_an_unknown_event_is_kept_and_goes_through_once_the_adapter_can_read_it(desk: Desk) -> None:
    first = act("ann@corp.example")
    inbox_id = desk.store(MAIL, [UnrecognisedEvent("sg?:1", "unknown event type: kept"), first])
    ingest(desk.house, [inbox_id])
    assert desk.states(inbox_id) == ["applied", "unknown"]
    assert desk.house.inbox.counts() == {"unknown": 1}
    assert letters.replay_delivery(desk.house, inbox_id, "cli:me")
    assert not letters.replay_delivery(desk.house, inbox_id, "cli:me"), "it waits already"
    desk.say(inbox_id, act("ann@corp.example", kind=EngagementKind.EMAIL_REPLIED), first)
    desk.run()
    found = desk.house.leads.find(desk.house.leads.tokens("", None, {"email": "ann@corp.example"}))
    history = desk.house.histories.at(found[0], desk.clock.now())
    assert history is not None
    assert sorted(one.kind for one in history.engagements) == ["email_clicked", "email_replied"], "what had its effect has it once"
    assert desk.house.inbox.counts() == {}


@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_bad_event_in_a_hundred_stops_nothing(desk: Desk, place: int) -> None:
    events = [act(f"p{number}@corp.example") for number in range(100)]
    inbox_id = desk.tell(MAIL, *events[:place], UnrecognisedEvent("bad", "not an object"), *events[place:99])
    assert sorted(set(desk.states(inbox_id))) == ["applied", "unknown"]
    assert desk.house.leads.count() == 99


def test_a_lead_without_an_address_is_scored_and_assigned(desk: Desk) -> None:
    desk.tell(CRM, change("1", title="CEO"))
    desk.run()
    card = commands.card(desk.house, desk.lead("1"))
    assert card is not None
    assert card.owner_id is not None
    assert (card.name, card.title) == ("Unnamed lead", "CEO")


HOSTILE = [
    "A" * 10_000,
    "Ann\x00\x00",
    "\x00",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "<!channel> <@U123> *bold*",
    "'; DROP TABLE lead; --",
    "\ud83d",  # half of an emoji, as broken JSON has it
    "‮Ann‬",
    "",
    "   ",
    None,
    True,
    10**30,
    -1,
    1e308,
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_any_value_in_any_field_is_data(desk: Desk, value: FieldValue) -> None:
    fields: dict[str, FieldValue] = dict.fromkeys(
        ("first_name", "last_name", "title", "company", "website", "message", "phone", "country", "region", "city", "postcode"),
        value,
    ) | dict.fromkeys(("industry", "employees", "revenue", "source", "campaign", "language", "product", "deal_amount"), value)
    said = replace(change("1", email="ann@corp.example", **fields), extra={"own column": value, "n" * 300: value})
    odd = act("ann@corp.example", properties={"campaign": value, "k\x00": value}, text=value if isinstance(value, str) else None)
    inbox_id = desk.tell(CRM, said)
    other = desk.tell(MAIL, odd)
    assert desk.states(inbox_id)[-1] == "applied"
    assert desk.states(other) == ["applied"]
    desk.run()
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert lead.owner_id is not None, "it went all the way"
    assert len(str(lead.fields.get("first_name") or "")) <= 500
    assert "\x00" not in str(lead.fields) + str(lead.extra)
    assert not desk.house.deadletters.all()
    if isinstance(value, str) and value.startswith(("<", "=", "@", "'")):
        assert lead.fields["first_name"] == value, "escaped where it is shown, not where it is kept"


@pytest.mark.parametrize(
    "address", ["nobody", "@x", "a b@c.example", "a@b", "ann@corp.example, bo@corp.example", "\x00", "x" * 400 + "@c.de"]
)
def test_what_is_no_address_names_nobody(desk: Desk, address: str) -> None:
    desk.tell(CRM, change("1", email=address))
    desk.tell(CRM, change("2", email=address))
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert lead.fields.get("email") is None
    assert desk.lead("1") != desk.lead("2")


@pytest.mark.parametrize("address", ["", None, "nobody", "\x00"])
def test_an_act_of_nobody_makes_no_lead(desk: Desk, address: str | None) -> None:
    inbox_id = desk.tell(MAIL, act(address))
    assert desk.states(inbox_id) == ["unknown"]
    assert desk.house.leads.count() == 0


def test_odd_keys_and_ids_are_kept_apart_and_stop_nothing(desk: Desk) -> None:
    long_one, long_two = "k" * 200 + "1", "k" * 200 + "2"
    inbox_id = desk.tell(
        MAIL,
        replace(act("ann@corp.example"), event_key=long_one),
        replace(act("ann@corp.example"), event_key=long_two),
        replace(act("ann@corp.example"), event_key="nul\x00"),
        act("bo@corp.example"),
    )
    assert desk.states(inbox_id) == ["applied"] * 4
    assert desk.states(desk.tell(CRM, change("i" * 300), change("nul\x00"), change("3")))[-1] == "applied"
    assert desk.lead("3")


@pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_moments_at_the_ends_of_time(desk: Desk, moment: datetime) -> None:
    desk.tell(CRM, change("1", moment, email="ann@corp.example"))
    desk.tell(MAIL, act("ann@corp.example", moment))
    desk.run()
    card = commands.card(desk.house, desk.lead("1"))
    assert card is not None
    assert card.owner_id is not None


# -- failures of ours


def test_a_delivery_that_cannot_be_read_holds_up_no_other(desk: Desk) -> None:
    house = desk.house
    broken = desk.store(CRM, KeyError("ann@corp.example"))
    spoilt = desk.store(CRM, [change("8")])
    with house.db.connected():
        Inbox.update({Inbox.envelope: b"\x04test" + bytes(40)}).where(Inbox.id == spoilt).execute()
    good = desk.store(CRM, [change("9")])
    for _ in range(TRIES):
        ingest(house, [broken, spoilt, good])
        desk.clock.move(600)
    assert desk.lead("9")
    assert house.inbox.counts() == {"dead": 2}
    assert {letter.reference for letter in house.deadletters.all()} == {broken, spoilt}
    assert "corp.example" not in str(house.deadletters.all())


def test_one_event_that_cannot_be_applied_is_kept_for_replay_and_stops_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = desk.house
    apply = house.leads.apply

    def refuse(connection: str, told: LeadChange, *, live: bool) -> Applied:
        done = apply(connection, told, live=live)
        if told.external_id == "2":
            raise OverflowError("ann@corp.example is too much")
        return done

    monkeypatch.setattr(house.leads, "apply", refuse)
    inbox_id = desk.tell(CRM, change("1"), change("2", email="ann@corp.example"), change("3"))
    assert (desk.lead("1"), desk.lead("3")) != (0, 0)
    assert house.leads.find_external(CRM, "2") is None, "what it did is taken back"
    assert house.inbox.counts() == {"unknown": 1}
    assert "corp.example" not in str(house.events.of_inbox(inbox_id))
    assert [state for _, state, _ in house.events.of_inbox(inbox_id) if state == "unknown"]
    monkeypatch.setattr(house.leads, "apply", apply)
    assert house.inbox.reopen(inbox_id)
    ingest(house, [inbox_id])
    assert desk.lead("2")
    assert house.inbox.counts() == {}


def test_retriable_is_tried_three_times_and_waiting_by_request_is_not_counted(desk: Desk) -> None:
    house = desk.house
    asked, failing = desk.store(CRM, Retriable("Busy.", 30.0)), desk.store(CRM, Retriable("Down."))
    for _ in range(TRIES):
        ingest(house, [asked, failing])
        desk.clock.move(600)
    (waiting,) = house.inbox.read([asked])
    assert (waiting.state, waiting.attempts) == ("pending", 0)
    (dead,) = house.deadletters.all()
    assert (dead.reference, dead.error) == (failing, "Down.")
    ingest(house, [failing])
    assert len(house.deadletters.all()) == 1, "what is given up is left alone"


def test_fatal_is_given_up_at_once_and_a_replay_brings_it_through(desk: Desk) -> None:
    house = desk.house
    inbox_id = desk.store(CRM, Fatal("The body belongs elsewhere."))
    ingest(house, [inbox_id])
    (dead,) = house.deadletters.all()
    desk.say(inbox_id, change("1"))
    letters.replay_letter(house, dead.id, "cli:me")
    desk.run()
    assert desk.lead("1")
    assert house.deadletters.count() == 0


def test_a_record_that_is_not_in_the_crm_yet_is_waited_for_but_not_for_ever(desk: Desk) -> None:
    desk.crm.missing = {"1"}
    inbox_id = desk.store(CRM, [change("1", title="CEO")])
    for _ in range(TRIES - 1):
        ingest(desk.house, [inbox_id])
        assert desk.house.leads.find_external(CRM, "1") is None
    ingest(desk.house, [inbox_id])
    assert desk.lead("1"), "the notice's own fields are taken in the end"
    assert not desk.house.deadletters.all()
