"""Training from a tenant's own history: split by time, guard, fit, calibrate, cut, measure, compare with the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from leads.records import LabelledHistory
from scoring import rules
from scoring.bundle import Bundle, name_version
from scoring.calibration import squash
from scoring.card import write_card
from scoring.choice import Trial
from scoring.columns import FloatArray, only_extra
from scoring.comparison import compare
from scoring.evaluation import measure, value_table
from scoring.extras import find_leaking
from scoring.facts import to_number
from scoring.features import build_many
from scoring.fitting import Fitted, Plan, fit
from scoring.past import MIN_LABELS, NotEnough, Past, Progress, check_stretches, read_past
from scoring.tuning import tune

__all__ = ["MIN_LABELS", "NotEnough", "train"]


def train(
    examples: Sequence[LabelledHistory],
    *,
    seed: int,
    threads: int = 2,
    progress: Progress | None = None,
    min_labels: int = MIN_LABELS,
    keep: frozenset[str] = frozenset(),
    canonical: bool = True,
    ordered: bool = True,
    families: bool = False,
    tries: int = 0,
) -> Bundle:
    """Train on won and lost leads; open ones are left aside. A lead may come at several ages (see `landmarks`).

    The leakage guard looks at all leads and names the tenant's columns that stay out, but for those in `keep` ("*": all). One
    recipe then runs twice: on the oldest 80%, to be measured on the newest 20%, and on all leads, to be served. The recipe tries
    shapes on the older 80% of what it is given, judges, calibrates and cuts tiers on the rest, and fits the chosen shape again to
    all of it (see `fitting`). Without an order (`ordered`) any fifth stands for the newest. With `canonical` off, the tenant's
    columns are all there is. `families` adds the comparison table to the metrics. With `tries`, so
    many recipes of the trees are tried first (see `tuning`). The same examples, seed and thread count give the
    same version. `progress` is told (finished share, what is being done).

    Raises NotEnough with one line, and NoTuner where `tries` are wanted and Optuna is not installed.
    """
    tell = progress or (lambda share, what: None)
    past = read_past(examples, min_labels, _within(tell, 0.0, 0.2), canonical)
    check_stretches(past, ordered)
    leads = past.one_each()
    leaks = find_leaking(leads.histories, leads.labels, keep, ordered)
    plan = Plan(seed, threads, frozenset(leak.column for leak in leaks), ordered, ordered)
    older, holdout = past.split(ordered)
    tuned: tuple[Trial, ...] = ()
    if tries:
        plan, tuned = tune(older, plan, tries, _saying(tell, 0.2, 0.2, f"Trying {tries} recipes"))
    measured = fit(older, plan, _saying(tell, 0.2, 0.7, f"Measuring on the newest {len(holdout.starts)} leads"))
    measured = replace(measured, trials=(*tuned, *measured.trials))
    metrics = _measure(measured, holdout)
    if families:
        metrics["families"] = _compare(measured, older, holdout, plan)
    served = fit(past, plan, _saying(tell, 0.7, 1.0, f"Training on {len(past.starts)} leads"), measured.shape, measured.scorer)
    newest = past.histories[-1].created_at
    bundle = Bundle(
        version=name_version(served.scorer, served.calibration, served.cuts, served.learned, newest.date().isoformat()),
        columns=served.columns,
        scorer=served.scorer,
        calibration=served.calibration,
        cuts=served.cuts,
        labels=len(past.starts),
        beats_rules=metrics["brier"] < metrics["rules"]["brier"],
        metrics=metrics,
        card="",
        learned=served.learned,
    )
    tell(1.0, "Done")
    span = (past.histories[0].created_at, holdout.histories[0].created_at, newest)
    return replace(bundle, card=write_card(bundle, (*leaks, *served.dropped), measured.trials, span))


def _measure(fitted: Fitted, holdout: Past) -> dict[str, Any]:
    """Figures of the fitted model and of the rules on the same holdout."""
    holdout = holdout.one_each()
    chances = fitted.probability(holdout)
    metrics = measure(chances, holdout.labels, fitted.cuts)
    metrics["tier_values"] = value_table(chances, holdout.labels, _deal_amounts(holdout), fitted.cuts)
    by_rules = rules.RulesScorer().raw(build_many(holdout.histories))
    metrics["rules"] = measure(squash(by_rules), holdout.labels, rules.CUTS)
    metrics["tier_a_reachable"] = fitted.cuts.reachable
    metrics["model"] = fitted.shape.tell()
    metrics["trials"] = [
        {"tried": trial.name, "gain": trial.gain, "error": trial.error, "kept": trial.kept} for trial in fitted.trials
    ]
    return metrics


def _deal_amounts(past: Past) -> FloatArray:
    """The size of each lead's deal; NaN where it is not known."""
    amounts = (to_number(history.facts.get("deal_amount")) for history in past.histories)
    return np.array([np.nan if amount is None or amount < 0 else amount for amount in amounts])


def _compare(fitted: Fitted, older: Past, holdout: Past, plan: Plan) -> list[dict[str, Any]]:
    """Every family of models, trained on the older leads and measured on the holdout."""
    known, later = older.learn()[1].one_each(), holdout.one_each().taught(fitted.learned)
    extra = only_extra(fitted.columns)
    train_part, test_part = ((past.rows(extra), past.labels) for past in (known, later))
    return compare(train_part, test_part, fitted.columns, plan.seed, plan.threads)


def _within(tell: Progress, start: float, stop: float) -> Progress:
    """A progress that fills one stretch of the whole."""
    return lambda share, what: tell(start + (stop - start) * share, what)


def _saying(tell: Progress, start: float, stop: float, what: str) -> Callable[[float], None]:
    return lambda share: tell(start + (stop - start) * share, what)
