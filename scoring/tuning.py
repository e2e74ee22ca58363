"""Looking for a better recipe of the trees with Optuna, which is an extra: `pip install "leadswitch[tune]"`.

The search sees nothing of the holdout. Of what the model may learn from, the newest fifth comes in halves: the first says which
recipe loses least, the second, which the search has not seen, whether that is measurably better than the standing one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from scoring.boosted import BoostedScorer, Recipe, choose_recipe
from scoring.choice import JUDGE_ROWS, Trial, judge, lead_losses
from scoring.columns import FloatArray, only_extra
from scoring.fitting import Plan, pick_columns
from scoring.past import ARRIVAL, Past

#: No further recipe is tried after so long; one that is being tried is finished.
LONGEST_S: Final = 900.0


class NoTuner(RuntimeError):
    """Optuna is not installed; one line says how to get it."""


def check_tuner() -> None:
    """Raises NoTuner."""
    if find_spec("optuna") is None:
        raise NoTuner('Tuning needs Optuna, an extra of Leadswitch: pip install "leadswitch[tune]"')


def tune(
    past: Past, plan: Plan, tries: int, tell: Callable[[float], None], longest_s: float = LONGEST_S
) -> tuple[Plan, tuple[Trial, ...]]:
    """The plan with the best of `tries` recipes, or as it was, and what was tried. Too few leads to judge by are not tuned.

    The search is seeded: equal leads, plan and `tries` give the same recipe unless time (`longest_s`) runs out. `tell` is told the
    finished share. Raises NoTuner.
    """
    check_tuner()
    optuna: Any = import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    older, newer = past.split(plan.ordered)
    learned, older = older.learn()
    newer = newer.taught(learned).one_each()
    labels = newer.labels
    places = np.arange(len(labels))
    # Without an order every other lead is as good as the newer half, and the halves are alike.
    searched = places < len(places) // 2 if plan.ordered else places % 2 == 0
    if min(searched.sum(), (~searched).sum()) < JUDGE_ROWS:
        return plan, ()
    columns = [column for column in pick_columns(older, plan)[0] if column.name != ARRIVAL]
    rows, asked = older.rows(only_extra(columns)), newer.rows(only_extra(columns))
    standing = plan.recipe or choose_recipe(len(older.starts))
    known: dict[Recipe, FloatArray] = {}

    def grow(recipe: Recipe) -> FloatArray:
        if recipe not in known:
            scorer = BoostedScorer.fit(
                rows, older.labels, older.weights, columns, seed=plan.seed, threads=plan.threads, progress=lambda share: None,
                recipe=recipe,
            )  # fmt: skip
            known[recipe] = scorer.raw(asked)
        return known[recipe]

    def loss(trial: Any) -> float:
        raw = grow(_suggest(trial, standing))
        tell(min(1.0, (trial.number + 1) / tries))
        return float(lead_losses(raw[searched], labels[searched]).mean())

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=plan.seed))
    study.optimize(loss, n_trials=tries, timeout=longest_s)
    if not study.trials:
        return plan, ()
    best = replace(standing, **study.best_params)
    told = judge(f"tuned trees ({len(study.trials)} recipes)", grow(best)[~searched], grow(standing)[~searched], labels[~searched])
    return (replace(plan, recipe=best) if told.kept else plan), (told,)


def _suggest(trial: Any, standing: Recipe) -> Recipe:
    """The standing recipe with what the search varies."""
    return replace(
        standing,
        iterations=trial.suggest_int("iterations", 100, 800, step=50),
        depth=trial.suggest_int("depth", 2, 7),
        learning_rate=trial.suggest_float("learning_rate", 0.015, 0.2, log=True),
        l2_leaf_reg=trial.suggest_float("l2_leaf_reg", 1.0, 20.0, log=True),
        columns_share=trial.suggest_float("columns_share", 0.2, 1.0),
    )
