"""The outbox: at most one pending row a subject, one sender at a time, and doubt that is never forgotten."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.bootstrap import House
from connector.storage.effects import LEASE_S, Effect
from connector.storage.models import Effect as Row
from connector.testing import StandingClock
from leads.enums import EffectKind

KIND = EffectKind.SLACK_CARD


def ask(house: House, subject: str = "card:1", destination: str = "slack") -> bool:
    with house.db.transaction():
        return house.effects.add(KIND, destination, subject, 1)


def move(house: House, seconds: float) -> None:
    assert isinstance(house.clock, StandingClock)
    house.clock.move(seconds)


def state(house: House, effect: Effect) -> Effect:
    found = house.effects.get(effect.id)
    assert found is not None
    return found


def test_repeated_wishes_become_one_row_and_a_wish_while_sending_a_second(house: House) -> None:
    assert ask(house)
    assert not ask(house)
    (sending,) = house.effects.claim("slack", 10)
    assert ask(house), "what is on its way may show an older state"
    assert not ask(house)
    assert house.effects.claim("slack", 10) == [], "one subject is never sent twice at once"
    house.effects.finish(sending)
    (second,) = house.effects.claim("slack", 10)
    assert second.id != sending.id


def test_a_lapsed_lease_comes_back_in_doubt_and_before_the_newer_wish(house: House) -> None:
    ask(house)
    (first,) = house.effects.claim("slack", 10)
    assert not first.in_doubt
    ask(house)
    move(house, LEASE_S)
    assert house.effects.claim("slack", 10) == [], "to the second the lease still holds"
    move(house, 1)
    assert house.effects.due_destinations() == ["slack"]
    (again,) = house.effects.claim("slack", 10)
    assert (again.id, again.in_doubt, again.attempts) == (first.id, True, 2)


def test_a_row_put_back_waits_its_time_and_counts_as_told(house: House) -> None:
    ask(house)
    for counted, attempts in ((True, 1), (False, 1), (True, 2)):
        (taken,) = house.effects.claim("slack", 1)
        house.effects.put_back(taken, 30, "Busy.", counted=counted)
        assert house.effects.claim("slack", 1) == []
        assert state(house, taken).attempts == attempts
        move(house, 30)


@pytest.mark.parametrize("doubtful", [True, False])
def test_put_back_joins_a_newer_wish_and_keeps_the_doubt(house: House, doubtful: bool) -> None:
    ask(house)
    (first,) = house.effects.claim("slack", 1)
    ask(house)
    house.effects.put_back(first, 5, "No answer.", counted=True, in_doubt=doubtful)
    assert state(house, first).state == "done"
    move(house, 5)
    (newer,) = house.effects.claim("slack", 10)
    assert (newer.id != first.id, newer.in_doubt) == (True, doubtful)


def test_a_revived_row_keeps_its_doubt_when_another_joins_it(house: House) -> None:
    ask(house)
    (dead,) = house.effects.claim("slack", 1)
    house.effects.bury(dead, "Refused.")
    ask(house)
    (sending,) = house.effects.claim("slack", 1)
    assert house.effects.revive(dead.id) == "slack"
    house.effects.put_back(sending, 0, "Busy.", counted=True)
    (left,) = house.effects.claim("slack", 10)
    assert (left.id, left.in_doubt) == (dead.id, True)


def test_reviving_what_is_not_dead_or_waits_already_is_nothing(house: House) -> None:
    ask(house)
    (one,) = house.effects.claim("slack", 1)
    assert house.effects.revive(one.id) is None
    assert house.effects.revive(999) is None
    house.effects.bury(one, "Refused.")
    ask(house)
    assert house.effects.revive(one.id) is None
    assert house.effects.counts() == {("slack", "dead"): 1, ("slack", "pending"): 1}


def test_a_receipt_is_the_newest_real_one(house: House) -> None:
    for receipt in ("task-1", "skipped: gone", None, "task-2", "skipped: gone"):
        ask(house)
        (one,) = house.effects.claim("slack", 1)
        house.effects.finish(one, receipt)
    assert house.effects.receipt(KIND, "card:1") == "task-2"
    assert house.effects.receipt(KIND, "card:2") is None


def test_wishes_of_a_transaction_that_failed_are_not_there(house: House) -> None:
    with contextlib.suppress(KeyError), house.db.transaction():
        house.effects.add(KIND, "slack", "card:1", 1)
        raise KeyError
    assert house.effects.claim("slack", 10) == []


def test_many_senders_share_the_work_without_sharing_a_row(house: House) -> None:
    for number in range(60):
        ask(house, f"card:{number}")

    def work(_: int) -> list[int]:
        mine = []
        while taken := house.effects.claim("slack", 3):
            mine += [one.id for one in taken]
            for one in taken:
                house.effects.finish(one)
        return mine

    with ThreadPoolExecutor(6) as pool:
        done = [one for mine in pool.map(work, range(6)) for one in mine]
    assert sorted(done) == sorted(set(done))
    assert len(done) == 60


STEPS = st.lists(
    st.sampled_from(["ask", "claim", "finish", "back", "unsure", "asked", "bury", "revive", "wait", "crash"]), max_size=25
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_one_subject_has_one_pending_and_one_sending_row_and_loses_no_wish(house: House, steps: list[str]) -> None:
    Row.delete().execute()
    held: list[Effect] = []
    wished = doubt = False
    for step in steps:
        if step == "ask":
            ask(house)
            wished = True
        elif step == "claim":
            held += (taken := house.effects.claim("slack", 5))
            assert len(taken) <= 1
            assert not taken or taken[0].in_doubt or not doubt
        elif step == "wait":
            move(house, 10)
        elif step == "crash":
            doubt = doubt or bool(held)
            held.clear()
            move(house, LEASE_S + 1)
        elif step == "revive":
            for row in Row.select().where(Row.state == "dead"):
                house.effects.revive(row.id)
        elif held:
            one = held.pop()
            if step == "finish":
                house.effects.finish(one)
                wished, doubt = False, False
            elif step == "bury":
                house.effects.bury(one, "x")
            else:
                doubt = doubt or step == "unsure"
                house.effects.put_back(one, 1, "x", counted=step == "back", in_doubt=step == "unsure")
        states = [row.state for row in Row.select(Row.state)]
        assert states.count("pending") <= 1
        assert states.count("sending") <= 1
        assert not wished or {"pending", "sending", "dead"} & set(states)
