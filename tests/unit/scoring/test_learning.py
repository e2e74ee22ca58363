"""What training teaches the features: out of fold, without names, and the same when it comes back from the bundle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leads.records import LabelledHistory
from scoring.bundle import Bundle
from scoring.features.learned import Keys, Learned, terms
from scoring.learning import FOLDS, learn, learn_out_of_fold, make_words, number_leads
from scoring.scorer import score

KEEN, COLD = "we need a demo and have the budget", "just looking around for a school project"


def writers(count: int = 60) -> tuple[list[Keys], np.ndarray, np.ndarray, list[int]]:
    """Every second lead is won, and writes so."""
    keys = [Keys("software" if won else "mining", None, "3", KEEN if won else COLD) for won in _turns(count)]
    return keys, np.array([float(won) for won in _turns(count)]), np.ones(count), list(range(count))


def _turns(count: int) -> list[bool]:
    return [place % 2 == 0 for place in range(count)]


def test_a_rate_is_the_conversion_drawn_towards_the_mean() -> None:
    learned = learn(*writers())
    assert learned.base == 0.5
    assert learned.rate("industry", "software") == (30 + 20 * 0.5) / (30 + 20)
    assert learned.rate("industry", "unheard of") == 0.5
    assert learned.rate("industry", None) is None


def test_looks_at_one_lead_weigh_one_together() -> None:
    keys = [Keys("software", None, "3", "")] * 4 + [Keys("software", None, "3", "")]
    learned = learn(keys, np.array([1.0, 1.0, 1.0, 1.0, 0.0]), np.array([0.25] * 4 + [1.0]), [0, 0, 0, 0, 1])
    assert learned.rates["industry"]["software"] == (1.0, 2.0)


def test_a_leads_own_outcome_never_comes_back_to_it() -> None:
    keys, labels, weights, leads = writers()
    before = learn_out_of_fold(keys, labels, weights, leads)
    for place in (0, 7, 31):
        turned = labels.copy()
        turned[place] = 1 - turned[place]
        assert learn_out_of_fold(keys, turned, weights, leads)[place] == before[place]


def test_all_looks_at_one_lead_are_in_one_fold() -> None:
    keys, labels, weights, leads = writers()
    twice = [lead for lead in leads for _ in range(2)]
    doubled = [key for key in keys for _ in range(2)]
    values = learn_out_of_fold(doubled, np.repeat(labels, 2), np.repeat(weights / 2, 2), twice)
    turned = np.repeat(labels, 2)
    turned[:2] = 1 - turned[:2]
    assert learn_out_of_fold(doubled, turned, np.repeat(weights / 2, 2), twice)[0] == values[0] == values[1]
    assert FOLDS > 1


def test_a_level_that_means_nothing_says_nothing_out_of_fold() -> None:
    """One level a lead: in the fold it would be the outcome itself, out of it there is only the mean."""
    count = 40
    keys = [Keys(f"industry {place}", None, "3", "") for place in range(count)]
    labels = np.array([float(won) for won in _turns(count)])
    values = [row["industry_conversion"] for row in learn_out_of_fold(keys, labels, np.ones(count), list(range(count)))]
    assert max(abs(float(value or 0) - 0.5) for value in values) < 0.1


def test_words_tell_the_keen_from_the_cold_and_only_when_enough_people_wrote() -> None:
    learned = learn(*writers())
    keen, cold = learned.intent("a demo, please: we have budget"), learned.intent("looking for my school")
    assert keen is not None
    assert cold is not None
    assert keen > 0.6 > 0.4 > cold
    assert learned.intent("") is None
    assert learn(*writers(20)).intent(KEEN) is None


def test_the_word_model_says_what_scikit_learn_says() -> None:
    keys, labels, weights, leads = writers()
    words = learn(keys, labels, weights, leads).words
    assert words is not None
    model = make_words(sorted(words.weights)).fit([key.text for key in keys], labels)
    for text in (KEEN, COLD, "a demo for the school", "nothing known at all"):
        assert words.chance(text) == pytest.approx(model.predict_proba([text])[0, 1], abs=2e-6)


def test_no_number_address_or_rare_word_is_learned() -> None:
    keys, labels, weights, leads = writers()
    keys[0] = Keys(None, None, "3", f"{KEEN} i am zebediah, call 0171 555 or mail zeb@acme.example")
    words = learn(keys, labels, weights, leads).words
    assert words is not None
    assert not {"zebediah", "zeb", "acme"} & {word for term in words.weights for word in term.split()}
    assert terms("call 0171-555 now") == ["call", "now", "call now"]


def test_what_was_learned_comes_back_from_json_bit_for_bit() -> None:
    learned = learn(*writers())
    again = Learned.from_json(json.loads(json.dumps(learned.to_json())))
    assert again == learned


def test_leads_are_numbered_by_their_first_looks() -> None:
    assert number_leads((0, 3, 4), 6) == [0, 0, 0, 1, 2, 2]


def test_a_model_keeps_what_it_learned(bundle: Bundle, past: list[LabelledHistory], tmp_path: Path) -> None:
    assert bundle.learned is not None
    bundle.save(tmp_path / "model")
    loaded = Bundle.load(tmp_path / "model")
    assert loaded.learned == bundle.learned
    histories = [example.history for example in past[:20]]
    assert score(histories, loaded) == score(histories, bundle)
