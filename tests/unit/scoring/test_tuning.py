"""Tuning: seeded, blind to the holdout, kept only where it proves itself; one clear line without its extra."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from leads.records import LabelledHistory
from scoring import tuning
from scoring.boosted import Recipe
from scoring.fitting import Plan
from scoring.past import Past, read_past
from scoring.training import train
from scoring.tuning import NoTuner, tune
from tests.unit.scoring.examples import make_past

wants_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra leadswitch[tune] is not installed")


def quiet(share: float, what: str = "") -> None:
    """A progress that nobody looks at."""


@pytest.fixture(scope="module")
def leads() -> Past:
    return read_past(make_past(3_000, seed=3), 50, quiet)


@wants_optuna
def test_the_search_is_seeded_bounded_and_kept_only_when_it_wins(leads: Past) -> None:
    shares: list[float] = []
    plan = Plan(seed=5)
    tuned, [told] = tune(leads, plan, 2, shares.append)
    assert shares == [0.5, 1.0]
    assert told.name == "tuned trees (2 recipes)"
    assert (tuned.recipe is not None) == told.kept
    assert tune(leads, plan, 2, quiet) == (tuned, (told,))
    assert tune(leads, plan, 50, quiet, longest_s=0.0) == (plan, ())


@wants_optuna
def test_a_poor_standing_recipe_is_replaced(leads: Past) -> None:
    poor = Plan(seed=5, recipe=Recipe(100, 1, 0.001, 20.0, 0.2))
    tuned, [told] = tune(leads, poor, 3, quiet)
    assert told.kept
    assert tuned.recipe not in (None, poor.recipe)


@wants_optuna
def test_the_model_card_says_what_came_of_it(past: list[LabelledHistory]) -> None:
    bundle = train(make_past(1_600, seed=3), seed=5, tries=1)
    assert bundle.metrics["trials"][0]["tried"] == "tuned trees (1 recipes)"
    assert "- tuned trees (1 recipes): " in bundle.card


@wants_optuna
def test_too_few_leads_to_judge_by_are_not_tuned() -> None:
    few = read_past(make_past(300, seed=3), 50, quiet)
    assert tune(few, Plan(seed=5), 2, quiet) == (Plan(seed=5), ())


def test_without_the_extra_one_line_says_how_to_get_it(leads: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    with pytest.raises(NoTuner, match=r'pip install "leadswitch\[tune\]"'):
        tune(leads, Plan(seed=5), 2, quiet)
