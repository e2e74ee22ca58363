"""The learned fit of reps and leads: found where it is planted, and not believed where there is none."""

from __future__ import annotations

import json
import random

import pytest

from allocation.rep import LeadFacts
from allocation.rep_fit import Ended, RepFit, compare, learn

REPS, COUNTRIES = ("a", "b", "c"), ("DE", "FR", "ES")


def past(seed: int, leads: int, planted: bool) -> list[Ended]:
    """Leads given out evenly; where it is planted, each rep wins those of one country three times as often."""
    rng = random.Random(seed)
    ended = []
    for number in range(leads):
        rep, country = rng.choice(REPS), rng.choice(COUNTRIES)
        at_home = planted and REPS.index(rep) == COUNTRIES.index(country)
        probability = rng.uniform(0.1, 0.3)
        chance = probability * (1.8 if at_home else 0.6) if planted else probability
        lead = LeadFacts(number, probability=probability, country=country)
        ended.append(Ended(lead, rep, rng.random() < chance, rng.random()))
    return ended


def test_what_is_planted_is_found_and_beats_the_weights() -> None:
    ended = past(1, 3000, planted=True)
    found = compare(ended)
    assert found.better
    assert found.loss_fit < found.loss_weights
    assert (found.learned_from, found.held_out) == (2100, 900)
    fit, lead = learn(ended), LeadFacts(1, probability=0.2, country="FR")
    assert max(REPS, key=lambda rep: fit.chance(rep, lead)) == "b"
    assert fit.chance("b", lead) == pytest.approx(0.36, abs=0.08)


def test_what_is_not_there_is_rarely_believed() -> None:
    """The interval is of 95%, so that one in forty may be believed wrongly."""
    assert sum(compare(past(seed, 600, planted=False)).better for seed in range(20)) <= 2


def test_a_rep_nobody_knows_is_told_nothing_about() -> None:
    fit = learn(past(2, 400, planted=True))
    lead = LeadFacts(1, probability=0.2, country="DE")
    assert set(fit.chances((*REPS, "new"), lead)) == set(REPS)
    assert all(0.0 < chance < 1.0 for chance in fit.chances(REPS, LeadFacts(2, probability=1.0)).values())


def test_it_survives_json() -> None:
    fit = learn(past(3, 400, planted=True))
    assert RepFit.from_json(json.loads(json.dumps(fit.to_json()))) == fit


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="200 are needed"):
        compare(past(1, 199, planted=True))
    with pytest.raises(ValueError, match="alike"):
        learn([Ended(LeadFacts(1), "a", True, 0.5)])
