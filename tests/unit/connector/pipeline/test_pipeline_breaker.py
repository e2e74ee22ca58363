"""A receiver that does not answer is left alone, what is meant for it waits, and nothing of it is given up."""

from __future__ import annotations

from collections import Counter

from connector.errors import Retriable
from connector.pipeline.deliver import deliver
from connector.pipeline.sweep import Sweeper
from connector.storage.breakers import FAILURES, LONGEST_PAUSE_S, PAUSE_S
from leads.enums import EffectKind
from tests.unit.connector.pipeline.scripted import CRM, Desk, change

DOWN = Retriable("The CRM did not answer.")


def route(desk: Desk, *external_ids: str) -> None:
    for external_id in external_ids:
        desk.tell(CRM, change(external_id, title="CEO", email=f"a{external_id}@corp.example"))
    desk.route()


def outage(desk: Desk) -> None:
    """As many calls in a row that nobody answers as open the breaker, each about another lead."""
    desk.crm.fails = [DOWN] * 1_000
    for number in range(FAILURES):
        assert not desk.house.breakers.bars(desk.house.breakers.of(CRM))
        route(desk, f"o{number}")
        deliver(desk.house, CRM)


def left(desk: Desk) -> int:
    """How often the CRM was asked in vain since the outage began."""
    return 1_000 - len(desk.crm.fails)


def test_an_open_breaker_asks_nothing_of_the_receiver(desk: Desk) -> None:
    outage(desk)
    asked = left(desk)
    route(desk, "1", "2")
    assert deliver(desk.house, CRM) == 0
    assert left(desk) == asked
    breaker = desk.house.breakers.of(CRM)
    assert breaker.opens_at is not None
    assert (breaker.opens_at - desk.clock.now()).total_seconds() == PAUSE_S
    assert breaker.error == str(DOWN)


def test_one_row_tries_and_the_pause_grows(desk: Desk) -> None:
    outage(desk)
    route(desk, "1", "2", "3")
    pauses = []
    for _ in range(6):
        breaker = desk.house.breakers.of(CRM)
        assert breaker.opens_at is not None
        pauses.append((breaker.opens_at - desk.clock.now()).total_seconds())
        desk.clock.move(pauses[-1])
        before = left(desk)
        deliver(desk.house, CRM)
        assert left(desk) == before + 1
    assert pauses == [30, 60, 120, 240, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_when_it_answers_again_everything_arrives_and_nothing_was_given_up(desk: Desk) -> None:
    outage(desk)
    route(desk, "1", "2", "3")
    for _ in range(40):  # hours
        desk.clock.move(LONGEST_PAUSE_S)
        deliver(desk.house, CRM)
    assert desk.house.deadletters.count() == 0
    desk.crm.fails = []
    desk.clock.move(LONGEST_PAUSE_S)
    deliver(desk.house, CRM)
    assert desk.house.breakers.of(CRM).failures == 0
    for _ in range(5):
        desk.clock.move(120)
        deliver(desk.house, CRM)
    assert (CRM, "dead") not in desk.house.effects.counts()
    assert Counter(task.external_id for task in desk.crm.made) == Counter(
        dict.fromkeys(("1", "2", "3", *(f"o{number}" for number in range(FAILURES))), 1)
    )


def test_an_answer_between_keeps_it_closed(desk: Desk) -> None:
    for number in range(3 * FAILURES):
        desk.crm.fails = [] if number % 3 == 2 else [DOWN]
        route(desk, str(number))
        deliver(desk.house, CRM)
    assert desk.house.breakers.of(CRM).opens_at is None


def test_a_receiver_that_asks_for_a_pause_is_no_outage(desk: Desk) -> None:
    desk.crm.fails = [Retriable("Too many requests.", 10.0)] * 50
    for number in range(2 * FAILURES):
        route(desk, str(number))
        deliver(desk.house, CRM)
    assert desk.house.breakers.of(CRM).failures == 0


def test_the_alerts_of_a_silent_crm_are_not_held_up(desk: Desk) -> None:
    outage(desk)
    route(desk, "1")
    assert deliver(desk.house, "slack") > 0
    assert any(kind.kind is EffectKind.SLACK_CARD for kind in desk.house.effects.of_lead(desk.lead("1")))


def test_many_that_fail_at_once_lengthen_the_pause_no_more_than_one(desk: Desk) -> None:
    outage(desk)
    for _ in range(8):  # calls of other workers, which were under way when the breaker opened
        opened = desk.house.breakers.failed(CRM, DOWN)
    assert opened.opens_at is not None
    assert (opened.opens_at - desk.clock.now()).total_seconds() == PAUSE_S


def test_nobody_is_rung_for_while_the_breaker_is_open(desk: Desk) -> None:
    outage(desk)
    route(desk, "1")
    desk.clock.move(PAUSE_S - 1)
    assert Sweeper(desk.house).sweep()["deliver"] == 1, "for the alerts alone"
    desk.clock.move(1)
    assert Sweeper(desk.house).sweep()["deliver"] == 2


def test_an_outage_of_weeks_still_ends(desk: Desk) -> None:
    breakers = desk.house.breakers
    for _ in range(1_500):  # five days of tries
        desk.clock.move(LONGEST_PAUSE_S)
        breaker = breakers.failed(CRM, DOWN)
    assert breaker.opens_at is not None
    assert (breaker.opens_at - desk.clock.now()).total_seconds() == LONGEST_PAUSE_S
    breakers.worked(CRM)
    assert breakers.of(CRM).opens_at is None
