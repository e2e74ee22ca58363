"""Refusals and erasure: a refused person is left alone, an erased one is gone everywhere and stays gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor
from connector.pipeline import importing
from connector.pipeline.backfill import take_page
from connector.pipeline.consent import PURPOSE, is_barred
from connector.pipeline.normalise import normalise
from connector.ports import BackfillPage
from connector.storage.columns import SealedField
from connector.storage.models import TABLES, Inbox, Score
from connector.testing import NOON
from leads.enums import ChangeKind, EngagementKind, Role
from leads.records import LeadChange
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change

EMAIL, NAME, PHONE = "zebulon@marker-corp.example", "Zebulon-Marker", "+49 30 5550199"
BOSS = Actor("cli", "boss", Role.ADMIN)


def person(**more: Any) -> Any:
    fields = {
        "email": EMAIL,
        "first_name": NAME,
        "last_name": NAME,
        "company": NAME,
        "title": NAME,
        "message": NAME,
        "phone": PHONE,
    }
    told = change("1", NOON, **{**fields, "country": "DE", **more})
    return replace(told, extra={"mobilephone": PHONE.replace(" ", ""), "nickname": NAME})


def cells(desk: Desk) -> Iterator[tuple[str, Any, bytes]]:
    """(table.column, the value opened as far as anybody with the master key can, as bytes) of everything that is stored."""
    house = desk.house
    with house.db.connected():
        for table in TABLES:
            for row in table.select():
                keys = [key for key in (getattr(row, "data_key", None),) if key]
                for name, column in table._meta.fields.items():
                    value = getattr(row, name)
                    yield f"{table.__name__}.{name}", isinstance(column, SealedField), str(value).encode()
                    if isinstance(column, SealedField) and value is not None:
                        for opener in [house.vault.open, *(house.vault.person(key).open_json for key in keys)]:
                            for context in (b"", b"rep", b"audit", b"inbox", b"tokens"):
                                try:
                                    opened = opener(value, context) if opener == house.vault.open else opener(value)
                                except Exception:  # noqa: S112 - sealed under something else
                                    continue
                                yield f"{table.__name__}.{name} opened", True, str(opened).encode()


def traces(desk: Desk) -> set[str]:
    """Where the person can still be read."""
    marks = [EMAIL.encode(), NAME.encode(), b"marker-corp", b"5550199"]
    return {place for place, _, value in cells(desk) if any(mark in value or mark in value.lower() for mark in marks)}


def test_whoever_objected_to_profiling_is_not_taken_in(desk: Desk) -> None:
    desk.house.privacy.record(EMAIL, PURPOSE, "any", False, "form", NOON)
    assert desk.states(desk.tell(CRM, person()))[-1] == "refused"
    assert desk.states(desk.tell(MAIL, act(EMAIL.upper()))) == ["refused"]
    assert desk.house.leads.find(desk.house.leads.tokens("", None, {"email": EMAIL})) == []
    desk.house.privacy.record(EMAIL, PURPOSE, "any", True, "form", NOON + timedelta(days=1))
    assert desk.states(desk.tell(MAIL, act(EMAIL))) == ["applied"]


def test_the_newest_word_stands_whichever_comes_first(desk: Desk) -> None:
    privacy = desk.house.privacy
    privacy.record(EMAIL, PURPOSE, "any", True, "form", NOON)
    privacy.record(EMAIL, PURPOSE, "any", False, "form", NOON - timedelta(days=1))
    assert not privacy.refused({EMAIL}, PURPOSE)
    desk.tell(MAIL, act(EMAIL, kind=EngagementKind.UNSUBSCRIBED))
    assert privacy.refused({EMAIL}, "marketing")
    assert not privacy.refused({EMAIL}, PURPOSE), "no more newsletters is not an objection to profiling"
    desk.tell(MAIL, act(EMAIL, NOON - timedelta(hours=1), kind=EngagementKind.RESUBSCRIBED))
    assert privacy.refused({EMAIL}, "marketing"), "an older word that comes later"


def journey(desk: Desk) -> int:
    """Everything that can happen to a person, so that everything that is stored about one is."""
    desk.tell(MAIL, act(EMAIL, NOON - timedelta(hours=1), text=f"call {NAME}"))
    desk.crm.records["1"] = person()
    desk.tell(CRM, person())
    desk.run()
    lead_id = desk.lead("1")
    held = desk.house.leads.get(lead_id)
    assert held is not None
    holder = Actor("slack", "U1", Role.REP, held.owner_id)
    commands.accept(desk.house, lead_id, holder)
    commands.pass_on(desk.house, lead_id, holder, "not my region")
    commands.reassign(desk.house, lead_id, "1", BOSS, "known")
    desk.run()
    return lead_id


def test_of_an_erased_person_nothing_can_be_read_any_more(desk: Desk) -> None:
    lead_id = journey(desk)
    assert traces(desk), "or this test looks in the wrong places"
    desk.house.audit.seal()
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    Inbox.delete().execute()  # deliveries are sealed whole, and expire by their own rule
    assert traces(desk) == set()
    assert commands.card(desk.house, lead_id) is None
    assert commands.find_leads(desk.house, EMAIL) == []
    assert commands.find_leads(desk.house, NAME) == []
    desk.house.audit.seal()
    assert desk.house.audit.verify()[1] is None
    assert sum(desk.house.decisions.open_counts().values()) == 0
    with desk.house.db.connected():
        scores = list(Score.select().where(Score.lead_id == lead_id))
    assert scores
    assert [(row.features, row.contributions, row.reasons) for row in scores] == [({}, {}, [])] * len(scores)


def test_a_lead_merged_before_is_erased_with_all_its_parts(desk: Desk) -> None:
    desk.tell(MAIL, act(EMAIL, text=NAME))
    desk.tell(CRM, change("1", NOON, first_name=NAME))
    desk.tell(CRM, change("1", NOON, email=EMAIL))
    assert desk.house.leads.count() == 1
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    Inbox.delete().execute()
    assert traces(desk) == set()


def take_again(desk: Desk, how: str) -> list[str]:
    """Somebody speaks of the person once more; returns how that ended, where an event says so."""
    if how == "a backfill":
        take_page(desk.house, CRM, BackfillPage([person()], [], {}, None), live=True)
        return ["refused"]
    if how == "an import":
        file = desk.house.settings.home / "leads.csv"
        file.write_text(f"id,mail\n77,{EMAIL}\n", encoding="utf-8")
        importing.run(desk.house, file, importing.ImportMap("import", "id", {"email": "mail"}))
        return ["refused"]
    said = {"crm": person(), "another record": change("2", NOON, email=EMAIL.upper(), first_name=NAME), "mail": act(EMAIL)}[how]
    return desk.states(desk.tell(MAIL if how == "mail" else CRM, said))


WAYS = ["crm", "mail", "another record", "a backfill", "an import"]


@pytest.mark.parametrize("again", WAYS)
def test_an_erased_person_does_not_come_back(desk: Desk, again: str) -> None:
    journey(desk)
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    before = desk.house.leads.count()
    assert take_again(desk, again)[-1] == "refused"
    desk.run()
    assert desk.house.leads.find(desk.house.leads.tokens("", None, {"email": EMAIL})) == []
    made = desk.house.leads.count() - before
    assert made == (1 if again == "another record" else 0), "the empty record that the CRM shows"
    Inbox.delete().execute()
    assert traces(desk) == set()


@pytest.mark.parametrize("way", WAYS)
def test_whoever_objected_is_not_taken_in_by_any_way(desk: Desk, way: str) -> None:
    desk.house.privacy.record(EMAIL, PURPOSE, "any", False, "form", NOON)
    assert take_again(desk, way)[-1] == "refused"
    assert desk.house.leads.find(desk.house.leads.tokens("", None, {"email": EMAIL})) == []


def test_the_colleagues_of_an_erased_person_behind_the_same_number_are_let_in(desk: Desk) -> None:
    journey(desk)
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    assert set(desk.states(desk.tell(CRM, change("2", email="bo@corp.example", phone=PHONE)))) == {"applied"}
    assert desk.lead("2")


def test_whoever_is_known_by_number_alone_stays_erased_too(desk: Desk) -> None:
    lead_id = commands.add_lead(desk.house, LeadChange("a", "", NOON, ChangeKind.CREATED, fields={"phone": PHONE}), BOSS)
    with desk.house.db.transaction():
        desk.house.privacy.bury(desk.house.leads.erase(lead_id))
    assert is_barred(desk.house, "api", normalise(LeadChange("b", "", NOON, ChangeKind.CREATED, fields={"phone": PHONE})))


def test_an_erasure_that_comes_before_the_first_notice_holds(desk: Desk) -> None:
    desk.tell(CRM, change("1", NOON, ChangeKind.ERASED))
    assert set(desk.states(desk.tell(CRM, person()))) == {"refused"}
    assert desk.house.leads.count() == 0


def test_nothing_personal_stands_in_clear_anywhere(desk: Desk) -> None:
    """Neither in a column that is not sealed, nor in what was rung for."""
    bells: list[Any] = []
    ring = desk.house.queue._ring

    def listen(queue: str, actor: str, *args: object, delay_s: float = 0.0) -> None:
        bells.append((queue, actor, args))
        ring(queue, actor, *args, delay_s=delay_s)

    desk.house.queue._ring = listen  # type: ignore[method-assign]
    journey(desk)
    desk.slack.fails = [KeyError(EMAIL)] * 9
    desk.tell(CRM, change("1", NOON + timedelta(minutes=1), title="CEO", last_name=NAME + "2"))
    broken = desk.store(CRM, ValueError(f"{EMAIL} {NAME}"))
    for _ in range(4):
        desk.run()
        desk.work(broken)
        desk.clock.move(600)
    assert desk.house.deadletters.all()
    marks = (EMAIL, NAME, "marker-corp", "5550199")
    clear = {place for place, sealed, value in cells(desk) if not sealed and any(mark.encode() in value for mark in marks)}
    assert clear == set()
    assert not any(mark in str(bells) for mark in marks)
