"""Cards, lists, forms: true, within Slack's limits and harmless whatever a lead is called."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.slack import answers, blocks, cards, forms, names
from connector.commands import Candidate, CardState, LeadSummary, Why
from leads.enums import EngagementKind, Gate, Tier, VerdictKind
from leads.records import Engagement
from leads.results import Reason, Score, Verdict
from tests.unit.bots import slack_limits as limits

AT = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)

CARD = CardState(
    lead_id=7,
    external_id="51",
    name="Jane Doe",
    title="VP Sales",
    company="Acme",
    source="webinar",
    tier=Tier.A,
    score=92,
    trend=8,
    confidence=0.81,
    reasons_up=("Booked a meeting", "Replied twice", "500 employees"),
    reasons_down=("Free mail address", "No visit this week"),
    rationale=None,
    because="You are next in line in EMEA.",
    owner_id="3",
    owner_name="Ada Rep",
    state="new",
    accepted_by=None,
    accepted_after_s=None,
    passed_reason=None,
    last_engagement=Engagement(EngagementKind.EMAIL_CLICKED, AT),
    created_at=AT,
    crm_url="https://crm.example/51",
    note=None,
)

WORDS = st.one_of(
    st.none(),
    st.text(max_size=80),
    st.text(alphabet="<>&*_~`@:! \n\u202eאבגابج😀👨\u200d👩\u200d👧", max_size=120),
    st.sampled_from(["<!channel> *x* <https://evil.example|free>", "&" * 5000, "😀" * 5000, "ש" * 10_000, "A" * 10_000]),
)
STATES = ("new", "accepted", "contacted", "reassigned", "expired", "waiting", "won", "lost", "gone")
NAMES = WORDS.map(lambda word: word or "Unnamed lead")
CARDS = st.builds(
    CardState,
    lead_id=st.integers(1, 2**31),
    external_id=WORDS,
    name=NAMES,
    title=WORDS,
    company=WORDS,
    source=WORDS,
    tier=st.sampled_from(Tier),
    score=st.none() | st.integers(0, 100),
    trend=st.none() | st.integers(-100, 100),
    confidence=st.none() | st.floats(0, 1),
    expected_value=st.none() | st.floats(0, 1e300),
    reasons_up=st.lists(NAMES, max_size=3).map(tuple),
    reasons_down=st.lists(NAMES, max_size=2).map(tuple),
    rationale=WORDS,
    because=WORDS,
    owner_id=st.none() | st.just("3"),
    owner_name=WORDS,
    state=st.sampled_from([*STATES, "something else"]),
    accepted_by=WORDS,
    accepted_after_s=st.none() | st.floats(0, 1e7),
    passed_reason=WORDS,
    last_engagement=st.none() | st.builds(Engagement, kind=st.sampled_from(EngagementKind), occurred_at=st.just(AT)),
    created_at=st.just(AT),
    deadline=st.none() | st.just(AT),
    deadline_for=st.sampled_from([None, "accept", "contact"]),
    contacted_after_s=st.none() | st.floats(0, 1e7),
    snoozed_until=st.none() | st.just(AT),
    crm_url=st.sampled_from([None, "https://crm.example/1", "javascript:alert(1)", "https://crm.example/" + "x" * 5000]),
    note=WORDS,
)

REPS = st.builds(
    Candidate,
    rep_id=st.text(min_size=1, max_size=160),
    name=NAMES,
    open_leads=st.integers(0, 10**6),
    cap=st.none() | st.integers(0, 10**6),
    against=WORDS.map(lambda word: word or ""),
)


def texts(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def actions(shown: list[dict[str, Any]]) -> list[str]:
    return [element["action_id"] for block in shown if block["type"] == "actions" for element in block["elements"]]


@settings(deadline=None)
@given(CARDS, st.booleans())
def test_any_card_keeps_slacks_limits(card: CardState, elsewhere: bool) -> None:
    limits.check_message(cards.lead_card(card, elsewhere=elsewhere))


@settings(deadline=None)
@given(st.lists(CARDS, min_size=1, max_size=3), st.integers(1, 100))
def test_any_digest_and_queue_keep_slacks_limits(shown: list[CardState], times: int) -> None:
    limits.check_message(blocks.digest(shown * times, "1"))
    limits.check_message(answers.queue(shown[0].name, shown * times, times))


@settings(deadline=None)
@given(CARDS, st.lists(REPS, min_size=1, max_size=20), st.booleans())
def test_any_form_keeps_slacks_limits(card: CardState, reps: list[Candidate], warned: bool) -> None:
    for form in (forms.pass_form, forms.outcome_form, forms.wrong_form):
        limits.check_modal(form(card, "{}"))
    limits.check_modal(forms.pto_form(card.name, "{}"))
    limits.check_modal(forms.caps_form(card.name, {"capacity": 3, "per_day": None}, "{}"))
    limits.check_modal(forms.link_form([(rep.rep_id[:150], rep.name) for rep in reps], "{}"))
    if any(len(rep.rep_id) <= 150 for rep in reps):
        limits.check_modal(forms.reassign_form(card, reps, "{}", chosen=reps[0].rep_id if warned else ""))


@settings(deadline=None)
@given(
    NAMES,
    st.lists(st.builds(LeadSummary, st.integers(1), NAMES, WORDS, st.sampled_from(Tier), st.none() | st.integers(0, 100), WORDS)),
)
def test_any_list_keeps_slacks_limits(query: str, found: list[LeadSummary]) -> None:
    for verb in ("show", "why", "reassign", "claim"):
        limits.check_message(answers.choices(query, found, verb))
    for may_claim in (True, False):
        limits.check_message(answers.pool(found[: answers.LISTED], len(found), may_claim))


@settings(deadline=None)
@given(NAMES, st.lists(NAMES, max_size=40), st.booleans())
def test_any_why_keeps_slacks_limits(because: str, reps: list[str], scored: bool) -> None:
    verdicts = [
        Verdict(str(number), kind, number, Gate.TERRITORY, name)
        for number, (name, kind) in enumerate(zip(reps, [*VerdictKind] * 10, strict=False))
    ]
    why = Why(
        7,
        9,
        because,
        because,
        because,
        AT,
        "system",
        None,
        verdicts,
        dict(enumerate(reps)),
        score(because) if scored else None,
        reps,
        because,
    )
    limits.check_message(answers.why_answer(why, "0"))


def score(words: str) -> Score:
    reasons = tuple(Reason(f"f{number}", 0.5 - number, None, words) for number in range(6))
    return Score(AT, 0.9, 92, Tier.A, 0.8, words, "model", 0.0, 1.0, reasons, {}, {}, words)


def test_two_hundred_reps_are_offered_in_groups() -> None:
    view = forms.reassign_form(CARD, [Candidate(str(n), f"Rep {n:03}", n, None, "") for n in range(250)], "{}")
    limits.check_modal(view)
    groups = view["blocks"][1]["element"]["option_groups"]
    assert [len(group["options"]) for group in groups] == [100, 100, 50]
    assert groups[0]["label"]["text"] == "Rep 000 to Rep 099"


def test_the_card_says_what_it_must() -> None:
    shown = cards.lead_card(replace(CARD, rationale="A keen buyer."))
    assert shown[0]["text"]["text"] == "A lead · 92 ▲8 · Jane Doe"
    said = texts(shown)
    for part in (
        "VP Sales at *Acme*",
        "webinar",
        "owner Ada Rep",
        "*New*",
        "Routed to Ada Rep because: You are next",
        "email clicked",
    ):
        assert part in said
    assert "Routed to you because: You are next" in texts(cards.lead_card(CARD, personal=True))
    assert said.count("▲") == 4  # and the trend
    assert said.count("▼") == 2
    assert "written by AI" in said
    assert "AI" not in texts(cards.lead_card(CARD))
    assert actions(shown) == [names.ACCEPT, names.PASS_ON, names.OUTCOME, names.SNOOZE, names.OPEN, names.MORE]


def test_the_summary_comes_below_the_buttons_so_that_its_later_edit_moves_none_of_them() -> None:
    before, after = cards.lead_card(CARD), cards.lead_card(replace(CARD, rationale="A keen buyer."))
    place = [block["type"] for block in before].index("actions")
    assert before[: place + 1] == after[: place + 1]


def test_the_deadline_is_shown_in_the_readers_zone_and_a_snooze_instead_of_it() -> None:
    said = texts(cards.lead_card(replace(CARD, deadline=AT, deadline_for="accept")))
    assert f"accept by <!date^{int(AT.timestamp())}^" in said
    said = texts(cards.lead_card(replace(CARD, deadline=AT, deadline_for="accept", snoozed_until=AT)))
    assert "*snoozed* until <!date^" in said
    assert "accept by" not in said
    assert "by <!date" not in texts(cards.lead_card(replace(CARD, deadline=AT, deadline_for="accept", state="won")))


def test_a_notification_names_nobody() -> None:
    nasty = replace(CARD, name="Zebedee", company="Zebra Ltd", title="Zookeeper", owner_name="Zoe")
    for state in STATES:
        for personal in (True, False):
            text = cards.card_text(replace(nasty, state=state), personal=personal)
            assert "Z" not in text
    assert cards.card_text(CARD, personal=True) == "New A lead (92) for you"
    assert cards.card_text(CARD, personal=False) == "New A lead (92)"
    assert cards.card_text(replace(CARD, tier=Tier.UNKNOWN, score=None), personal=True) == "New lead for you"


OWNED = [names.PASS_ON, names.OUTCOME, names.SNOOZE]


@pytest.mark.parametrize(
    ("changes", "words", "buttons"),
    [
        (
            {"state": "accepted", "accepted_by": "Ada", "accepted_after_s": 130.0},
            "*Accepted* by Ada in 2m10s",
            [names.OUTCOME, names.PASS_ON, names.SNOOZE],
        ),
        (
            {"state": "contacted", "contacted_after_s": 3900.0},
            "*Contacted* by Ada Rep after 1h5m",
            [names.OUTCOME, names.PASS_ON, names.SNOOZE],
        ),
        ({"state": "reassigned"}, "*Re-assigned* to Ada Rep", [names.ACCEPT, *OWNED]),
        (
            {"state": "reassigned", "passed_reason": "no_capacity: holiday"},
            "passed before: No capacity (holiday)",
            [names.ACCEPT, *OWNED],
        ),
        ({"state": "expired"}, "*Expired*: nobody took it in time; now with Ada Rep", [names.ACCEPT, *OWNED]),
        ({"state": "waiting", "owner_name": None}, "*Waiting*", [names.CLAIM]),
        ({"state": "won"}, "*Won* by Ada Rep", []),
        ({"state": "lost"}, "*Lost*", []),
        ({"state": "gone"}, "*On file*", []),
    ],
)
def test_each_state_has_its_line_and_its_buttons(changes: dict[str, Any], words: str, buttons: list[str]) -> None:
    shown = cards.lead_card(replace(CARD, **changes))
    assert words in texts(shown)
    assert actions(shown) == [*buttons, names.OPEN, names.MORE]


def test_the_card_of_somebody_who_lost_the_lead_has_nothing_left_to_press() -> None:
    shown = cards.lead_card(replace(CARD, state="accepted", owner_name="Ben"), elsewhere=True)
    assert "*Re-assigned* to Ben" in texts(shown)
    assert actions(shown) == [names.OPEN, names.MORE]
    assert "reassign:7" not in texts(shown)


def test_only_a_web_address_becomes_a_link() -> None:
    assert names.OPEN not in actions(cards.lead_card(replace(CARD, crm_url="javascript:alert(1)")))
    assert names.OPEN not in actions(cards.lead_card(replace(CARD, crm_url=None)))


def test_a_digest_is_best_first_and_counts_what_it_leaves_out() -> None:
    shown = blocks.digest([replace(CARD, lead_id=number, score=number) for number in range(60)], "1")
    assert shown[0]["text"]["text"] == "60 more leads for you to look at"
    assert shown[1]["accessory"]["value"] == "59"
    assert "20 more" in texts(shown[-1])
    assert blocks.digest_text(1) == "1 more lead for you to look at"


def test_why_puts_the_readers_own_verdict_first() -> None:
    verdicts = [
        Verdict("1", VerdictKind.CHOSEN, 1),
        Verdict("2", VerdictKind.GATED, None, Gate.CAPACITY, "20 of 20 leads"),
        Verdict("3", VerdictKind.RANKED, 2),
    ]
    why = Why(
        7,
        9,
        "next in line",
        "wrr",
        "p1",
        AT,
        "system",
        None,
        verdicts,
        {"1": "Ada", "2": "Ben", "3": "Cleo"},
        score("Replied"),
        ["300 page views at once, more than a person manages"],
        "What is your role?",
    )
    said = texts(answers.why_answer(why, "2"))
    assert said.index("*You*: not asked, capacity (20 of 20 leads)") < said.index("Ada: chosen")
    assert "Cleo: could have had it, number 2 in line" in said
    assert "Score 92, tier A" in said
    assert "Not counted: 300 page views at once" in said
    assert "Worth asking: What is your role?" in said


@pytest.mark.parametrize(
    ("value", "lead_id"),
    [("12", 12), ("why:12", 12), (12, 12), ("", None), (None, None), ("x", None), ("why:", None), ("１２", None), ("9" * 40, None)],
)
def test_a_lead_id_is_read_from_a_button_or_not_at_all(value: object, lead_id: int | None) -> None:
    assert names.lead_id(value) == lead_id


def test_a_card_tells_what_the_lead_is_worth_where_that_is_known() -> None:
    def small_print(card: CardState) -> str:
        return str(cards.lead_card(card)[-1]["elements"][0]["text"])

    assert "Confidence 81% · expected value 1,251" in small_print(replace(CARD, expected_value=1250.6))
    assert "expected value" not in small_print(CARD)
