"""Decisions: owners, gates, method, what happens when nobody is free, and one verdict for everybody."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocation.decide import decide, keep, override, pass_back, rotation_key
from allocation.fairness import Presence, Rotation
from allocation.gates import FOREVER
from allocation.policy import DEFAULT_POLICY, Policy, parse_policy
from allocation.rep import Caps, LeadFacts, Rep, Taken, Territory
from allocation.replay import record, replay
from leads.enums import DecisionOutcome, Gate, Outcome, Tier, VerdictKind
from leads.records import Lead
from leads.results import Decision, Score

AT = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
NOBODY: frozenset[str] = frozenset()
LINE = Rotation("line")
LEAD = LeadFacts(7, Tier.A, 90, 0.4, country="DE", language="de")
ANNA = Rep("anna", "Anna", languages=frozenset({"de"}))
BEN = Rep("ben", "Ben", languages=frozenset({"en"}))
CARA = Rep("cara", "Cara", languages=frozenset({"de", "en"}))
TEAM = [ANNA, BEN, CARA]


def policy(team: str = "", **teams: str) -> Policy:
    blocks = {"emea": team, **teams}
    return parse_policy("".join(f"[teams.{name}]\nreps = ['*']\n{body}\n" for name, body in blocks.items()))


def verdict(decision: Decision, rep: str) -> tuple[VerdictKind, int | None, Gate | None]:
    found = next(verdict for verdict in decision.verdicts if verdict.rep_id == rep)
    return found.kind, found.rank, found.gate


def test_the_next_in_the_rotation_with_the_skill() -> None:
    terms = policy("skills = ['language']")
    decision, after = decide(LEAD, TEAM, terms, LINE, AT)
    assert decision.rep_id == "anna"
    assert decision.outcome is DecisionOutcome.ASSIGNED
    assert decision.because == "Next in the rotation of team emea for tier A; speaks German"
    assert decision.policy_version == terms.version
    assert verdict(decision, "ben") == (VerdictKind.GATED, None, Gate.SKILL)
    assert verdict(decision, "cara") == (VerdictKind.RANKED, 2, None)
    assert after.seats["anna"].taken == 1
    assert Rotation("line") == LINE  # what came in is not changed
    second, _ = decide(LEAD, TEAM, terms, after, AT)
    assert second.rep_id == "cara"


def test_the_line_is_named_by_team_and_tier() -> None:
    assert rotation_key(LEAD, policy()) == "emea/a"


def test_a_required_skill_is_relaxed_after_a_wait() -> None:
    terms = policy("skills = ['language']\nrelax_skills_after_minutes = 60")
    lead = replace(LEAD, language="fr")
    assert decide(lead, TEAM, terms, LINE, AT)[0].outcome is DecisionOutcome.HELD
    assert decide(replace(lead, waiting_minutes=60), TEAM, terms, LINE, AT)[0].rep_id == "anna"


def test_a_gate_that_a_rule_switches_off_is_not_asked() -> None:
    text = "[teams.a]\nreps = ['*']\n[[rules]]\nwhen = { tier = 'a' }\nteam = 'a'\ngates = { availability = false }\n"
    reps = [replace(ANNA, paused_until=FOREVER)]
    assert decide(LEAD, reps, parse_policy(text), LINE, AT)[0].rep_id == "anna"
    assert decide(replace(LEAD, tier=Tier.B), reps, parse_policy(text), LINE, AT)[0].rep_id is None


def test_least_loaded_goes_by_what_each_can_hold() -> None:
    reps = [
        replace(ANNA, open_leads=5, caps=Caps(open=6)),
        replace(BEN, open_leads=9, caps=Caps(open=30)),
        replace(CARA, open_leads=16),
    ]
    decision, _ = decide(LEAD, reps, policy("method = 'least_loaded'"), LINE, AT)
    assert decision.rep_id == "ben"
    assert decision.because.startswith("Lightest load in team emea (9 open leads)")
    factors = {verdict.rep_id: verdict.factors["load"] for verdict in decision.verdicts}
    assert factors == {"anna": pytest.approx(5 / 6, abs=1e-6), "ben": 0.3, "cara": 0.32}


def test_longest_idle_begins_with_who_never_had_one() -> None:
    reps = [
        replace(ANNA, last_assigned_at=AT - timedelta(hours=1)),
        replace(BEN, last_assigned_at=AT - timedelta(hours=3)),
        replace(CARA, last_assigned_at=None),
    ]
    terms = policy("method = 'longest_idle'")
    assert decide(LEAD, reps, terms, LINE, AT)[0].rep_id == "cara"
    assert decide(LEAD, reps[:2], terms, LINE, AT)[0].rep_id == "ben"


def test_weighted_factors_decide_by_the_weights_that_are_set() -> None:
    near = replace(ANNA, territory=Territory(frozenset({"DE"})), open_leads=40)
    free = replace(BEN, open_leads=0)
    by_place = policy("method = 'weighted'\nfactors = { geography = 1 }")
    by_room = policy("method = 'weighted'\nfactors = { capacity = 1 }")
    assert decide(LEAD, [near, free], by_place, LINE, AT)[0].rep_id == "anna"
    decision, _ = decide(LEAD, [near, free], by_room, LINE, AT)
    assert decision.rep_id == "ben"
    assert set(decision.verdicts[0].factors) == {"score", "tier", "expertise", "capacity", "fairness", "geography", "fit"}
    expert = replace(BEN, tier_skill={Tier.A: 0.9})
    assert decide(LEAD, [near, expert], policy("method = 'weighted'\nfactors = { tier = 1 }"), LINE, AT)[0].rep_id == "ben"


def test_equal_scores_go_by_the_rotation() -> None:
    rotation, got = LINE, Counter[str]()
    for _ in range(30):
        decision, rotation = decide(LEAD, TEAM, policy("method = 'weighted'\nfactors = { tier = 1 }"), rotation, AT)
        got[str(decision.rep_id)] += 1
    assert set(got.values()) == {10}


def test_best_value_uses_the_fitted_numbers() -> None:
    lead = replace(LEAD, fits={"anna": 0.1, "ben": 0.6, "cara": 0.2})
    assert decide(lead, TEAM, policy("method = 'best_value'"), LINE, AT)[0].rep_id == "ben"


def test_a_claim_pool_picks_nobody() -> None:
    decision, after = decide(LEAD, TEAM, policy("method = 'claim_pool'"), LINE, AT)
    assert (decision.outcome, decision.rep_id, decision.method) == (DecisionOutcome.HELD, None, "claim_pool")
    assert {verdict.kind for verdict in decision.verdicts} == {VerdictKind.RANKED}
    assert after == LINE


def test_an_overflow_into_a_claim_pool_is_claimed() -> None:
    first = "[teams.one]\nreps = ['anna']\nnobody_free = 'overflow'\noverflow = 'two'\n"
    text = first + "[teams.two]\nreps = ['ben']\nmethod = 'claim_pool'\n"
    decision, _ = decide(LEAD, [AWAY[0], BEN], parse_policy(text), LINE, AT)
    assert (decision.outcome, decision.method) == (DecisionOutcome.HELD, "claim_pool")


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        decide(LEAD, TEAM, policy(), LINE, AT.replace(tzinfo=None))


def test_an_existing_owner_stays_and_it_counts() -> None:
    decision, after = decide(replace(LEAD, existing_owner="ben"), TEAM, policy(), LINE, AT)
    assert (decision.outcome, decision.rep_id, decision.method) == (DecisionOutcome.KEPT, "ben", "existing_owner")
    assert after.seats["ben"].taken == 1
    assert [decide(LEAD, TEAM, policy(), after, AT)[0].rep_id] == ["anna"]


def test_the_account_owner_comes_before_the_rotation() -> None:
    decision, _ = decide(replace(LEAD, account_owner="cara"), TEAM, policy(), LINE, AT)
    assert (decision.outcome, decision.rep_id) == (DecisionOutcome.ASSIGNED, "cara")
    assert decision.because == "Owns the account this lead belongs to"
    both = replace(LEAD, account_owner="cara", existing_owner="ben")
    assert decide(both, TEAM, policy(), LINE, AT)[0].rep_id == "ben"
    account_first = parse_policy("[owners]\norder = ['account']\n[teams.a]\nreps = ['*']")
    assert decide(both, TEAM, account_first, LINE, AT)[0].rep_id == "cara"


@pytest.mark.parametrize("owner", ["gone", "inactive", "lost"])
def test_an_owner_who_cannot_have_it_is_passed_over(owner: str) -> None:
    reps = [*TEAM, Rep("inactive", active=False), Rep("lost")]
    decision, _ = decide(replace(LEAD, existing_owner=owner), reps, policy(), LINE, AT, exclude=frozenset({"lost"}))
    assert decision.rep_id == "anna"


def test_an_owner_who_is_away_waits_or_not_as_set() -> None:
    reps = [replace(ANNA, paused_until=FOREVER), BEN]
    lead = replace(LEAD, existing_owner="anna")
    waiting, after = decide(lead, reps, policy(), LINE, AT)
    assert waiting.rep_id == "anna"
    assert waiting.verdicts[0].detail == "although paused"
    assert after.seats["anna"].taken == 1
    routed = parse_policy("[owners]\nwait_when_away = false\n[teams.a]\nreps = ['*']")
    assert decide(lead, reps, routed, LINE, AT)[0].rep_id == "ben"


def test_a_full_owner_keeps_what_they_own() -> None:
    reps = [replace(ANNA, open_leads=99, caps=Caps(open=1)), BEN]
    assert decide(replace(LEAD, existing_owner="anna"), reps, policy(), LINE, AT)[0].rep_id == "anna"


AWAY = [replace(rep, paused_until=FOREVER) for rep in TEAM]


def test_nobody_free_holds_and_says_why() -> None:
    reps = [AWAY[0], replace(BEN, open_leads=9, caps=Caps(open=9)), replace(CARA, active=False)]
    decision, after = decide(LEAD, reps, policy(), LINE, AT)
    assert (decision.outcome, decision.rep_id) == (DecisionOutcome.HELD, None)
    assert decision.because == (
        "Nobody in team emea is free for tier A: 1 not active, 1 not available now, 1 at their cap; on the waiting list"
    )
    assert after == LINE


def test_nobody_at_all_is_held_too() -> None:
    decision, _ = decide(LEAD, [], policy(), LINE, AT)
    assert decision.outcome is DecisionOutcome.HELD
    assert "no reps" in decision.because


def test_overflow_goes_down_the_chain() -> None:
    text = """
[teams.one]
reps = ["anna"]
nobody_free = "overflow"
overflow = "two"
[teams.two]
reps = ["ben"]
nobody_free = "overflow"
overflow = "three"
[teams.three]
reps = ["cara"]
"""
    terms = parse_policy(text)
    decision, _ = decide(LEAD, [AWAY[0], AWAY[1], CARA], terms, LINE, AT)
    assert decision.rep_id == "cara"
    assert decision.because.startswith("Nobody in team one is free, nor in team two, so it went to team three")
    assert verdict(decision, "anna") == (VerdictKind.GATED, None, Gate.AVAILABILITY)
    assert verdict(decision, "ben") == (VerdictKind.GATED, None, Gate.AVAILABILITY)
    assert decide(LEAD, AWAY, terms, LINE, AT)[0].outcome is DecisionOutcome.HELD


def test_a_default_rep_takes_what_nobody_can() -> None:
    terms = policy("nobody_free = 'default'\ndefault_rep = 'ben'")
    decision, _ = decide(LEAD, AWAY, terms, LINE, AT)
    assert (decision.rep_id, decision.method) == ("ben", "default")
    gone = [AWAY[0], replace(AWAY[1], active=False)]
    assert decide(LEAD, gone, terms, LINE, AT)[0].outcome is DecisionOutcome.HELD
    assert decide(LEAD, AWAY, terms, LINE, AT, exclude=frozenset({"ben"}))[0].outcome is DecisionOutcome.HELD


def test_route_anyway_asks_availability_last() -> None:
    terms = policy("nobody_free = 'route_anyway'\nskills = ['language']")
    full = replace(BEN, languages=frozenset({"de"}), open_leads=1, caps=Caps(open=1))
    decision, _ = decide(LEAD, [AWAY[0], full], terms, LINE, AT)
    assert decision.rep_id == "anna"  # away but not full: availability gives way first
    assert "routed anyway" in decision.because
    both = [replace(AWAY[0], open_leads=1, caps=Caps(open=1))]
    assert decide(LEAD, both, terms, LINE, AT)[0].rep_id == "anna"
    assert decide(LEAD, [replace(AWAY[1])], terms, LINE, AT)[0].rep_id is None  # the skill is never waived


def test_who_had_it_is_not_asked_again() -> None:
    decision, _ = decide(LEAD, TEAM, policy(), LINE, AT, exclude=frozenset({"anna"}))
    assert decision.rep_id == "ben"
    assert verdict(decision, "anna") == (VerdictKind.GATED, None, Gate.EXCLUDED)


def test_somebody_of_another_team_has_a_verdict_too() -> None:
    terms = parse_policy("[teams.emea]\nreps = ['anna']")
    decision, _ = decide(LEAD, TEAM, terms, LINE, AT)
    assert [found.detail for found in decision.verdicts] == ["", "not in team emea", "not in team emea"]


def test_a_person_always_wins_and_the_verdict_says_over_what() -> None:
    reps = [ANNA, replace(BEN, open_leads=3, caps=Caps(open=3))]
    decision, after = override(LEAD, "ben", reps, policy(), LINE, AT)
    assert (decision.outcome, decision.rep_id, decision.method) == (DecisionOutcome.OVERRIDDEN, "ben", "person")
    assert decision.verdicts[1].kind is VerdictKind.CHOSEN
    assert decision.verdicts[1].detail == "although 3 open leads, the cap is 3"
    assert after.seats["ben"].taken == 1
    with pytest.raises(ValueError, match="zoe"):
        override(LEAD, "zoe", reps, policy(), LINE, AT)


def test_a_lead_that_is_moved_is_given_back_to_who_had_it() -> None:
    first, after = decide(LEAD, TEAM, policy(), LINE, AT)
    assert first.rep_id == "anna"
    _, moved = override(LEAD, "ben", TEAM, policy(), after, AT, previous="anna")
    assert (moved.seats["anna"].taken, moved.seats["ben"].taken) == (0, 1)


def test_keeping_books_the_lead_only_when_told() -> None:
    decision, after = keep(LEAD, "ben", TEAM, policy(), LINE, AT)
    assert (decision.outcome, after) == (DecisionOutcome.KEPT, LINE)
    _, charged = keep(LEAD, "ben", TEAM, policy(), LINE, AT, charge=True)
    assert charged.seats["ben"].taken == 1


def test_passing_back_credits_the_account() -> None:
    _, after = decide(LEAD, TEAM, policy(), LINE, AT)
    assert pass_back(after, "anna", policy(), AT).seats["anna"].taken == 0


def test_a_learned_fit_is_one_of_the_factors() -> None:
    known = replace(LEAD, probability=0.2, fits={"anna": 0.1, "ben": 0.3})
    by_fit = policy("method = 'weighted'\nfactors = { fit = 1 }")
    decision = decide(known, TEAM, by_fit, LINE, AT)[0]
    assert decision.rep_id == "ben"
    fits = {verdict.rep_id: verdict.factors["fit"] for verdict in decision.verdicts}
    assert fits == {"anna": pytest.approx(1 / 3), "ben": pytest.approx(0.6), "cara": 0.5}


def test_exploring_states_every_propensity() -> None:
    terms = parse_policy("explore = 0.3\n[teams.a]\nreps = ['*']")
    greedy, _ = decide(LEAD, TEAM, terms, LINE, AT, draw=0.31)
    assert greedy.rep_id == "anna"
    assert [found.factors["propensity"] for found in greedy.verdicts] == [
        pytest.approx(0.8),
        pytest.approx(0.1),
        pytest.approx(0.1),
    ]
    picked = Counter(decide(LEAD, TEAM, terms, LINE, AT, draw=number / 1000)[0].rep_id for number in range(1000))
    assert picked["anna"] == 800
    assert picked["ben"] == picked["cara"] == 100
    assert "at random" in decide(LEAD, TEAM, terms, LINE, AT, draw=0.29)[0].because
    never = parse_policy("explore = 0\n[teams.a]\nreps = ['*']")
    assert "propensity" not in decide(LEAD, TEAM, never, LINE, AT, draw=0.1)[0].verdicts[0].factors


def test_one_lead_in_twenty_is_given_out_at_random_unless_the_policy_says_otherwise() -> None:
    assert DEFAULT_POLICY.explore == parse_policy("[teams.a]\nreps = ['*']").explore == 0.05


moments = st.integers(0, 10_000).map(lambda minutes: AT - timedelta(minutes=minutes))
reps = st.builds(
    Rep,
    id=st.uuids().map(str),
    name=st.just("A Person"),
    active=st.booleans(),
    weight=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    timezone=st.sampled_from([None, "Europe/Berlin", "America/New_York", "Nowhere/Land"]),
    hours=st.sampled_from([None, ((),) * 7, (((480, 1080),),) * 7]),
    holiday_country=st.sampled_from([None, "DE", "ZZ"]),
    pto=st.lists(st.tuples(moments, moments), max_size=1).map(tuple),
    paused_until=st.one_of(st.none(), moments, st.just(FOREVER)),
    caps=st.builds(Caps, open=st.sampled_from([None, 3]), day=st.sampled_from([None, 2]), rolling=st.sampled_from([None, True])),
    open_leads=st.integers(0, 5),
    open_by_tier=st.dictionaries(st.sampled_from([Tier.A, Tier.B]), st.integers(0, 3)),
    recent=st.lists(st.builds(Taken, moments, st.sampled_from([Tier.A, Tier.B])), max_size=4).map(sorted).map(tuple),
    last_assigned_at=st.one_of(st.none(), moments),
    languages=st.frozensets(st.sampled_from(["de", "en"])),
    territory=st.sampled_from([Territory(), Territory(frozenset({"DE"}), postcodes=(("10", "19"),))]),
    tier_skill=st.just({Tier.A: 0.7}),
)
rosters = st.lists(reps, max_size=6, unique_by=lambda rep: rep.id)
facts = st.builds(
    LeadFacts,
    lead_id=st.just(1),
    tier=st.sampled_from(list(Tier)),
    country=st.sampled_from([None, "DE", "FR"]),
    postcode=st.sampled_from([None, "10115"]),
    language=st.sampled_from([None, "de", "en"]),
    waiting_minutes=st.sampled_from([0.0, 90.0]),
    tags=st.sampled_from([frozenset(), frozenset({"vip"})]),
    probability=st.floats(0, 1),
)
bodies = st.sampled_from(
    [
        "",
        "skills = ['language']\nrelax_skills_after_minutes = 60",
        "method = 'least_loaded'\ncaps = { day = 3 }",
        "method = 'weighted'\nnobody_free = 'route_anyway'",
        "method = 'longest_idle'",
        "method = 'claim_pool'",
        "skills = ['language']\nnobody_free = 'default'\ndefault_rep = 'r0'",
    ]
)


@settings(deadline=None)  # the first use of a country reads its holidays
@given(facts, rosters, bodies, st.one_of(st.none(), st.floats(0, 0.999)), st.data())
def test_every_rep_has_one_verdict_and_the_record_replays(
    lead: LeadFacts, roster: list[Rep], body: str, draw: float | None, data: st.DataObject
) -> None:
    terms = parse_policy(f"explore = 0.2\n[caps.tier.a]\nday = 1\n[teams.a]\nreps = ['*']\n{body}\n")
    ids = [rep.id for rep in roster]
    if ids:
        lead = replace(lead, account_owner=data.draw(st.sampled_from([None, *ids])), fits={ids[0]: 0.5})
    exclude = frozenset(data.draw(st.lists(st.sampled_from(ids), max_size=2)) if ids else [])
    rotation = LINE
    for _ in range(3):
        decision, after = decide(lead, roster, terms, rotation, AT, exclude, draw)
        assert sorted(found.rep_id for found in decision.verdicts) == sorted(ids)
        chosen = [found.rep_id for found in decision.verdicts if found.kind is VerdictKind.CHOSEN]
        assert chosen == ([decision.rep_id] if decision.rep_id else [])
        ranks = sorted(found.rank for found in decision.verdicts if found.rank is not None)
        assert ranks == list(range(1, len(ranks) + 1))
        assert all(found.gate for found in decision.verdicts if found.kind is VerdictKind.GATED)
        assert (decision.outcome is DecisionOutcome.HELD) == (decision.rep_id is None)
        stored = json.loads(json.dumps(record(lead, roster, terms, rotation, AT, decision, exclude, draw)))
        assert "A Person" not in json.dumps(stored)
        assert replay(stored) == decision
        rotation = after


@settings(deadline=None)  # the first use of a country reads its holidays
@given(facts, rosters.filter(bool), bodies)
def test_picks_of_people_and_kept_owners_replay_too(lead: LeadFacts, roster: list[Rep], body: str) -> None:
    terms = parse_policy(f"[teams.a]\nreps = ['*']\n{body}\n")
    for decision, _ in (
        override(lead, roster[0].id, roster, terms, LINE, AT, "Claimed in Slack"),
        keep(lead, roster[-1].id, roster, terms, LINE, AT),
        keep(replace(lead, existing_owner=roster[0].id), roster[0].id, roster, terms, LINE, AT, "Owned in the CRM"),
    ):
        kept = replace(lead, existing_owner=decision.rep_id if decision.because == "Owned in the CRM" else None)
        stored = json.loads(json.dumps(record(kept, roster, terms, LINE, AT, decision)))
        assert replay(stored) == decision


@settings(deadline=None)
@given(st.lists(st.tuples(facts, rosters, st.integers(0, 5)), max_size=12), bodies)
def test_the_credits_of_those_who_are_here_sum_to_nought(steps: list[tuple[LeadFacts, list[Rep], int]], body: str) -> None:
    """Through owners, picks of people, holds and whatever becomes of the roster."""
    terms = parse_policy(f"[teams.a]\nreps = ['*']\n{body}\n")
    rotation = LINE
    for number, (lead, roster, which) in enumerate(steps):
        named = [replace(rep, id=f"r{place}") for place, rep in enumerate(roster)]
        if not named:
            continue
        somebody = named[which % len(named)].id
        if which == 0:
            _, rotation = override(lead, somebody, named, terms, rotation, AT, previous="r1")
        elif which == 1:
            _, rotation = keep(lead, somebody, named, terms, rotation, AT, charge=True)
        else:
            owner = somebody if which == 2 else None
            _, rotation = decide(replace(lead, account_owner=owner), named, terms, rotation, AT + timedelta(minutes=number))
        here = [seat.credit for seat in rotation.seats.values() if seat.presence is Presence.HERE]
        assert sum(here) == pytest.approx(0, abs=1e-6)


def test_a_record_that_was_changed_is_refused() -> None:
    decision, _ = decide(LEAD, TEAM, policy(), LINE, AT)
    stored = record(LEAD, TEAM, policy(), LINE, AT, decision)
    with pytest.raises(ValueError, match="form"):
        replay({**stored, "form": 99})
    with pytest.raises(ValueError, match="changed"):
        replay({**stored, "policy": {"teams": {"x": {"reps": ["*"]}}}})


def test_a_record_keeps_recent_leads_only_where_a_cap_may_have_counted_them_out() -> None:
    """A week of every rep's leads in every record would be most of it; the verdicts come out the same without."""
    busy = [replace(ANNA, recent=(Taken(AT),) * 50)]
    decision, _ = decide(LEAD, busy, policy(), LINE, AT)
    assert "recent" not in record(LEAD, busy, policy(), LINE, AT, decision)["roster"][0]
    roomy, capped = policy("caps = { week = 60 }"), policy("caps = { week = 50 }")
    assert "recent" not in record(LEAD, busy, roomy, LINE, AT, decision)["roster"][0]
    full, _ = decide(LEAD, busy, capped, LINE, AT)
    stored = record(LEAD, busy, capped, LINE, AT, full)
    assert len(stored["roster"][0]["recent"]) == 50
    assert replay(stored) == full


@given(
    st.lists(st.integers(0, 8 * 24 * 60), max_size=12),
    st.fixed_dictionaries({}, optional={span: st.integers(0, 6) for span in ("hour", "day", "week")}),
    st.sampled_from(["own", "caps", "caps.tier.a", "teams.a.caps", "rules.caps"]),
    st.sampled_from(["", "rolling = true\n"]),
)
def test_a_record_replays_whatever_was_left_out_of_it(minutes: list[int], caps: dict[str, int], where: str, rolling: str) -> None:
    """Leads of every age against caps of every kind, by the rep's own settings or any part of the policy: all verdicts the same."""
    given_out = tuple(sorted(Taken(AT - timedelta(minutes=ago)) for ago in minutes))
    own, table = where == "own", f"[{where}]" if where != "own" else "[caps]"
    lines = "" if own else "".join(f"{span} = {limit}\n" for span, limit in caps.items())
    terms = parse_policy(f"[teams.a]\nreps = ['*']\n[[rules]]\nteam = 'a'\nwhen = {{ tier = 'a' }}\n{table}\n{rolling}{lines}")
    roster = [replace(ANNA, recent=given_out, caps=Caps(**caps) if own else Caps(), timezone="America/New_York"), BEN]
    made, _ = decide(LEAD, roster, terms, LINE, AT)
    stored = json.loads(json.dumps(record(LEAD, roster, terms, LINE, AT, made)))
    assert replay(stored) == made


def test_facts_are_read_off_a_stored_lead() -> None:
    lead = Lead(
        id=3,
        connection="crm",
        external_id="9",
        created_at=AT,
        fields={"country": "de", "language": "de-AT", "postcode": "sw1 2aa", "employees": "120", "email": "x@example.com"},
        extra={"tags": "VIP, Event", "team": "EMEA"},
        outcome=Outcome.OPEN,
        version=1,
        scored_version=1,
        allocated_version=0,
        owner_id="8",
        pinned=False,
        routable=True,
    )
    score = Score(AT, 0.7, 70, Tier.B, 0.9, "v", "model", 0, 0, (), {}, {})
    found = LeadFacts.of(lead, score, waiting_minutes=5)
    assert (found.country, found.language, found.postcode, found.employees) == ("DE", "de", "SW12AA", 120)
    assert (found.tags, found.team, found.existing_owner, found.tier, found.score) == ({"vip", "event"}, "emea", "8", Tier.B, 70)
    assert "example" not in repr(found)
    assert LeadFacts.of(replace(lead, fields={"employees": "many"}), None).employees is None
