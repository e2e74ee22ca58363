"""Cards, lists, forms: true, within Slack's limits and harmless whatever a lead is called."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.slack import blocks, names
from connector.commands import CardState, LeadSummary, Why
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
    reasons_up=st.lists(NAMES, max_size=3).map(tuple),
    reasons_down=st.lists(NAMES, max_size=2).map(tuple),
    rationale=WORDS,
    because=WORDS,
    owner_id=st.none() | st.just("3"),
    owner_name=WORDS,
    state=st.sampled_from(["new", "accepted", "reassigned", "waiting", "won", "lost", "gone", "something else"]),
    accepted_by=WORDS,
    accepted_after_s=st.none() | st.floats(0, 1e7),
    passed_reason=WORDS,
    last_engagement=st.none() | st.builds(Engagement, kind=st.sampled_from(EngagementKind), occurred_at=st.just(AT)),
    created_at=st.just(AT),
    crm_url=st.sampled_from([None, "https://crm.example/1", "javascript:alert(1)", "https://crm.example/" + "x" * 5000]),
    note=WORDS,
)


def texts(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def actions(shown: list[dict[str, Any]]) -> list[str]:
    return [element["action_id"] for block in shown if block["type"] == "actions" for element in block["elements"]]


@settings(deadline=None)
@given(CARDS, st.booleans())
def test_any_card_keeps_slacks_limits(card: CardState, elsewhere: bool) -> None:
    limits.check_message(blocks.lead_card(card, elsewhere=elsewhere))


@settings(deadline=None)
@given(st.lists(CARDS, min_size=1, max_size=3), st.integers(1, 100))
def test_any_digest_keeps_slacks_limits(cards: list[CardState], times: int) -> None:
    limits.check_message(blocks.digest(cards * times))


@settings(deadline=None)
@given(CARDS, st.dictionaries(st.text(min_size=1, max_size=160), NAMES, min_size=1, max_size=20))
def test_any_form_keeps_slacks_limits(card: CardState, reps: dict[str, str]) -> None:
    limits.check_modal(blocks.pass_form(card, "{}"))
    if any(len(rep) <= 150 for rep in reps):
        limits.check_modal(blocks.reassign_form(card, reps, "{}"))


@settings(deadline=None)
@given(
    NAMES,
    st.lists(st.builds(LeadSummary, st.integers(1), NAMES, WORDS, st.sampled_from(Tier), st.none() | st.integers(0, 100), WORDS)),
)
def test_any_list_keeps_slacks_limits(query: str, found: list[LeadSummary]) -> None:
    for verb in ("show", "why", "reassign"):
        limits.check_message(blocks.choices(query, found, verb))


@settings(deadline=None)
@given(NAMES, st.lists(NAMES, max_size=40), st.booleans())
def test_any_why_keeps_slacks_limits(because: str, reps: list[str], scored: bool) -> None:
    verdicts = [
        Verdict(str(number), kind, number, Gate.TERRITORY, name)
        for number, (name, kind) in enumerate(zip(reps, [*VerdictKind] * 10, strict=False))
    ]
    why = Why(
        7, 9, because, because, because, AT, "system", None, verdicts, dict(enumerate(reps)), score(because) if scored else None
    )
    limits.check_message(blocks.why_answer(why, "0"))


def score(words: str) -> Score:
    reasons = tuple(Reason(f"f{number}", 0.5 - number, None, words) for number in range(6))
    return Score(AT, 0.9, 92, Tier.A, 0.8, words, "model", 0.0, 1.0, reasons, {}, {}, words)


def test_two_hundred_reps_are_offered_in_groups() -> None:
    view = blocks.reassign_form(CARD, {str(number): f"Rep {number:03}" for number in range(250)}, "{}")
    limits.check_modal(view)
    groups = view["blocks"][1]["element"]["option_groups"]
    assert [len(group["options"]) for group in groups] == [100, 100, 50]
    assert groups[0]["label"]["text"] == "Rep 000 to Rep 099"


def test_the_card_says_what_it_must() -> None:
    shown = blocks.lead_card(replace(CARD, rationale="A keen buyer."))
    assert shown[0]["text"]["text"] == "A lead · 92 of 100 · Jane Doe"
    said = texts(shown)
    for part in (
        "VP Sales at *Acme*",
        "webinar",
        "Owner: *Ada Rep*",
        "*New*",
        "Routed to Ada Rep because: You are next",
        "email clicked",
    ):
        assert part in said
    assert "Routed to you because: You are next" in texts(blocks.lead_card(CARD, personal=True))
    assert said.count("▲") == 3
    assert said.count("▼") == 2
    assert "written by AI" in said
    assert "AI" not in texts(blocks.lead_card(CARD))
    assert "up 8 since" in said
    assert actions(shown) == [names.ACCEPT, names.PASS_ON, names.OPEN, names.MORE]


def test_a_notification_names_nobody() -> None:
    nasty = replace(CARD, name="Zebedee", company="Zebra Ltd", title="Zookeeper", owner_name="Zoe")
    for state in ("new", "accepted", "reassigned", "won", "lost"):
        for personal in (True, False):
            text = blocks.card_text(replace(nasty, state=state), personal=personal)
            assert "Z" not in text
    assert blocks.card_text(CARD, personal=True) == "New A lead (92) for you"
    assert blocks.card_text(CARD, personal=False) == "New A lead (92)"
    assert blocks.card_text(replace(CARD, tier=Tier.UNKNOWN, score=None), personal=True) == "New lead for you"


@pytest.mark.parametrize(
    ("changes", "words", "buttons"),
    [
        ({"state": "accepted", "accepted_by": "Ada", "accepted_after_s": 130.0}, "*Accepted* by Ada in 2m10s", [names.PASS_ON]),
        ({"state": "reassigned"}, "*Reassigned* to Ada Rep", [names.ACCEPT, names.PASS_ON]),
        (
            {"state": "reassigned", "passed_reason": "no_capacity: holiday"},
            "passed before: No capacity (holiday)",
            [names.ACCEPT, names.PASS_ON],
        ),
        ({"state": "waiting", "owner_name": None}, "*Waiting*", []),
        ({"state": "won"}, "*Won*", []),
        ({"state": "lost"}, "*Lost*", []),
        ({"state": "gone"}, "*On file*", []),
    ],
)
def test_each_state_has_its_line_and_its_buttons(changes: dict[str, Any], words: str, buttons: list[str]) -> None:
    shown = blocks.lead_card(replace(CARD, **changes))
    assert words in texts(shown)
    assert actions(shown) == [*buttons, names.OPEN, names.MORE]


def test_the_card_of_somebody_who_lost_the_lead_has_nothing_left_to_press() -> None:
    shown = blocks.lead_card(replace(CARD, state="accepted", owner_name="Ben"), elsewhere=True)
    assert "*Reassigned* to Ben" in texts(shown)
    assert actions(shown) == [names.OPEN, names.MORE]
    assert "reassign:7" not in texts(shown)


def test_only_a_web_address_becomes_a_link() -> None:
    assert names.OPEN not in actions(blocks.lead_card(replace(CARD, crm_url="javascript:alert(1)")))
    assert names.OPEN not in actions(blocks.lead_card(replace(CARD, crm_url=None)))


def test_a_digest_is_best_first_and_counts_what_it_leaves_out() -> None:
    shown = blocks.digest([replace(CARD, lead_id=number, score=number) for number in range(60)])
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
        7, 9, "next in line", "wrr", "p1", AT, "system", None, verdicts, {"1": "Ada", "2": "Ben", "3": "Cleo"}, score("Replied")
    )
    said = texts(blocks.why_answer(why, "2"))
    assert said.index("*You*: not asked, capacity (20 of 20 leads)") < said.index("Ada: chosen")
    assert "Cleo: could have had it, number 2 in line" in said
    assert "Score 92, tier A" in said


@pytest.mark.parametrize(
    ("value", "lead_id"),
    [("12", 12), ("why:12", 12), (12, 12), ("", None), (None, None), ("x", None), ("why:", None), ("１２", None), ("9" * 40, None)],
)
def test_a_lead_id_is_read_from_a_button_or_not_at_all(value: object, lead_id: int | None) -> None:
    assert names.lead_id(value) == lead_id
