"""The live layer: whatever order acts come in, whatever Redis does, the twelve features are those of the lead's history."""

from __future__ import annotations

import uuid
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.live import LIFE_S, PAUSE_S, WORTH_ASKING, LiveLayer
from connector.live_memory import LiveMemory
from connector.testing import NOON
from leads.enums import EngagementKind
from leads.records import Engagement, EngagementEvent, LeadHistory
from scoring.features import build
from scoring.live import LIVE
from scoring.timeline import MOST_ACTS, aside

K = EngagementKind
#: (kind, minutes before NOON, made by a machine)
DONE = st.tuples(st.sampled_from(list(K)), st.integers(0, 40 * 24 * 60), st.booleans())


def layer(table: LiveMemory, steady: float = 0.0) -> LiveLayer:
    return LiveLayer(table, steady=lambda: steady)  # type: ignore[arg-type]


def event(kind: EngagementKind, minutes: int, machine: bool = False) -> EngagementEvent:
    return EngagementEvent(f"e{uuid.uuid4()}", kind, NOON - timedelta(minutes=minutes), machine=machine)


def history(events: list[EngagementEvent]) -> LeadHistory:
    acts = tuple(Engagement(one.kind, one.occurred_at, one.machine) for one in events)
    return LeadHistory(1, NOON - timedelta(days=60), NOON, {}, acts)


def twelve(events: list[EngagementEvent]) -> dict[str, object]:
    features = build(history(events))
    return {name: features[name] for name in LIVE}


@settings(deadline=None, max_examples=120)
@given(before=st.lists(DONE, max_size=15), after=st.lists(DONE, max_size=15), order=st.randoms(use_true_random=False))
def test_counted_one_by_one_in_any_order_or_anew_it_is_the_same(
    before: list[tuple[K, int, bool]], after: list[tuple[K, int, bool]], order: object
) -> None:
    live = layer(LiveMemory())
    first, then = [event(*one) for one in before], [event(*one) for one in after]
    assume(not aside(history([*first, *then])))
    live.build(7, history(first))
    late = list(then)
    order.shuffle(late)  # type: ignore[attr-defined]
    for place, one in enumerate(late):
        live.record(1, 8 + place, one)
    assert live.look(1, 7 + len(then), NOON) == twelve([*first, *then])


def test_a_count_of_another_version_is_not_used() -> None:
    live = layer(LiveMemory())
    live.build(7, history([event(K.EMAIL_OPENED, 5)]))
    assert live.look(1, 8, NOON) is None, "something else changed the lead"
    live.record(1, 9, event(K.EMAIL_OPENED, 4))  # the one before it was lost
    assert live.look(1, 9, NOON) is None
    live.record(1, 7, event(K.EMAIL_OPENED, 5))  # told again, when it is counted already
    assert live.look(1, 7, NOON) == twelve([event(K.EMAIL_OPENED, 5)])


def test_an_act_is_one_call_however_long_the_history_is() -> None:
    table = LiveMemory()
    live = layer(table)
    live.build(7, history([event(K.EMAIL_DELIVERED, minutes) for minutes in range(900)]))
    calls = table.calls
    live.record(1, 8, event(K.EMAIL_CLICKED, 1))
    assert table.calls == calls + 1
    assert live.look(1, 8, NOON)["clicks_7d"] == 1  # type: ignore[index]


def test_a_history_that_is_cut_is_not_counted() -> None:
    live = layer(LiveMemory())
    live.build(7, history([event(K.EMAIL_DELIVERED, minutes) for minutes in range(MOST_ACTS)]))
    assert live.look(1, 7, NOON) is None
    live.build(7, history([event(K.EMAIL_DELIVERED, minutes) for minutes in range(MOST_ACTS - 1)]))
    assert live.look(1, 7, NOON) is not None
    live.record(1, 8, event(K.EMAIL_OPENED, 1))
    assert live.look(1, 8, NOON) is None


def test_a_history_with_acts_set_aside_is_not_counted_and_a_count_not_used_for_it() -> None:
    live = layer(LiveMemory())
    plain = [event(K.PAGE_VIEWED, 60 * number) for number in range(WORTH_ASKING)]
    live.build(7, history(plain))
    assert live.read(7, history(plain)) == twelve(plain)
    burst = [event(K.PAGE_VIEWED, 90) for _ in range(40)]
    for number, one in enumerate(burst):
        live.record(1, 8 + number, one)
    noisy = history([*plain, *burst])
    assert live.read(47, noisy) is None
    assert twelve([*plain, *burst]) == twelve(plain)


def test_an_act_from_after_the_moment_is_not_seen() -> None:
    live = layer(LiveMemory())
    live.build(7, history([]))
    live.record(1, 8, event(K.EMAIL_OPENED, -3))
    assert live.look(1, 8, NOON) is None
    assert live.look(1, 8, NOON + timedelta(minutes=4)) is not None


def test_while_redis_is_away_nobody_waits_for_it_again_and_again() -> None:
    table, now = LiveMemory(), [0.0]
    live = LiveLayer(table, steady=lambda: now[0])  # type: ignore[arg-type]
    live.build(7, history([]))
    table.fails, table.calls = True, 0
    for _ in range(10):
        assert live.look(1, 7, NOON) is None
        live.record(1, 8, event(K.EMAIL_OPENED, 1))
    assert (table.calls, live.fallbacks) == (1, 20)
    table.fails, now[0] = False, PAUSE_S
    assert live.look(1, 7, NOON) is not None


def test_a_short_history_is_counted_without_asking() -> None:
    table = LiveMemory()
    live = layer(table)
    short, long = (history([event(K.EMAIL_OPENED, 5)] * times) for times in (WORTH_ASKING - 1, WORTH_ASKING))
    live.build(7, long)
    calls = table.calls
    assert live.read(7, short) is None
    assert table.calls == calls
    assert live.read(7, long) == twelve([event(K.EMAIL_OPENED, 5)] * WORTH_ASKING)


def test_what_could_not_be_counted_on_is_built_next_time_and_once() -> None:
    live = layer(LiveMemory())
    live.record(1, 8, event(K.EMAIL_OPENED, 5))
    assert live.lacks(1)
    assert not live.lacks(1)
    live.build(8, history([event(K.EMAIL_OPENED, 5)]))
    live.record(1, 9, event(K.EMAIL_OPENED, 4))
    assert not live.lacks(1)


def test_a_count_says_nothing_of_a_person_and_lives_an_hour() -> None:
    table = LiveMemory()
    live = layer(table)
    live.build(7, history([event(K.EMAIL_OPENED, 5)]))
    assert table.lives == {"leadswitch:live:1": LIFE_S}
    assert all(name.split(":")[0] in {"version", "acts", "newest", "email_opened"} for name in table.hashes["leadswitch:live:1"])
