"""How good the models are: the product's own training against five baselines on the same leads.

    python -m bench.quality [--data DIR] [--only NAME,NAME] [--threads 2]
    python -m bench.quality --csv FILE --target COLUMN [--order COLUMN]

`NAME` splits at random (five folds, equal rows in one fold), `NAME_time` by time: the oldest 80% train, the newest 20% test. The
bank's later leads are predicted in eight chunks, each by a model of everything before it. The feature sets of X Education are those
of the data's README; `all` offers everything and trains on what the leakage guard leaves. Sets that a person chose are
taken as they are. With `--csv` the guard decides.

Ours also knows when a lead came in, as it does of every lead it scores; the baselines read the set's columns. Baselines: CatBoost,
LightGBM, XGBoost, HistGradientBoosting as they come, and logistic regression; one that is not installed is named and left out.

Last line: JSON, one object a set and split: auc, best_baseline_auc, log_loss, best_baseline_log_loss, ece, tier_a_fpr,
tier_a_precision, tier_a_recall, p_at_20, precision_top20pct, lift_top20pct and more; guard_named and guard_false in `all`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from bench.quality_baselines import Baselines
from connector.pipeline.exports import AS_IT_STANDS, Export, Roles, infer_roles, read_export, to_examples
from leads.records import LabelledHistory
from scoring.choice import Shape
from scoring.evaluation import measure, measure_top
from scoring.extras import find_leaking
from scoring.fitting import Fitted, Plan, fit
from scoring.past import Past, group_of, read_past

SEED = 7
FOLDS = 5
CHUNKS = 8
NOW = datetime(2026, 1, 1, tzinfo=UTC)

IDS = ("Prospect ID", "Lead Number")
CONSTANT = (
    "Magazine",
    "Receive More Updates About Our Courses",
    "Update me on Supply Chain Content",
    "Get updates on DM Content",
    "I agree to pay the amount through cheque",
)
OPINION = ("Tags", "Lead Quality", "Lead Profile")
VENDOR = tuple(f"Asymmetrique {what}" for what in ("Activity Index", "Profile Index", "Activity Score", "Profile Score"))
ACTIVITY = ("Last Activity", "Last Notable Activity")
LATE_ANSWERS = ("What is your current occupation", "What matters most to you in choosing a course")
LEFT_OUT = {
    "strict": (*IDS, *CONSTANT, *OPINION, *VENDOR, *ACTIVITY, *LATE_ANSWERS),
    "honest": (*IDS, *CONSTANT, *OPINION, *VENDOR, *ACTIVITY),
    "claimed": (*IDS, *CONSTANT, "Tags", "Lead Profile", "How did you hear about X Education"),
    "all": IDS,
}
#: What the guard ought to name, by file.
LEAKS = {"x_education": (*OPINION, *VENDOR, *ACTIVITY), "bank": ("duration",)}


@dataclass(frozen=True)
class Task:
    """One feature set of one file. `repeats` of the folds; `chunks` of the later leads in the split by time."""

    name: str
    past: Past
    left_out: frozenset[str]
    repeats: int = 1
    chunks: int = 1
    ordered: bool = True
    guard: tuple[list[str], list[str]] | None = None


def make_task(name: str, export: Export, roles: Roles, columns: Sequence[str], **more: Any) -> Task:
    """The leads with these columns alone."""
    examples = [_only(example, columns) for example in to_examples(export, roles, NOW)]
    past = read_past(examples, 50, lambda share, what: None, canonical=False)
    return Task(name, past, more.pop("left_out", frozenset()), ordered=roles.order is not None, **more)


def _only(example: LabelledHistory, columns: Sequence[str]) -> LabelledHistory:
    return replace(example, history=replace(example.history, extra={name: example.history.extra[name] for name in columns}))


def tasks(folder: Path) -> Iterator[Task]:
    """The data sets of the folder that are there."""
    file = folder / "x_education_leads.csv.gz"
    if file.is_file():
        export = read_export(file)
        roles = infer_roles(export, "Converted", order="Lead Number")
        every = [name for name in export.cells if name not in ("Converted", *IDS)]
        for kind, left_out in LEFT_OUT.items():
            columns = [name for name in every if name not in left_out]
            guard, out = None, frozenset[str]()
            if kind == "all":
                guard = guard_against("x_education", export, roles, every)
                out = frozenset(guard[0])
            yield make_task(
                f"x_education_{kind}", export, roles, columns, repeats=3 if kind == "honest" else 1, guard=guard, left_out=out
            )
    file = folder / "bank_marketing_additional.csv.gz"
    if file.is_file():
        export = read_export(file)
        roles = infer_roles(export, "y", order=AS_IT_STANDS)
        guard = guard_against("bank", export, roles, roles.columns)
        yield make_task("bank", export, roles, [name for name in roles.columns if name != "duration"], chunks=CHUNKS, guard=guard)


def guard_against(name: str, export: Export, roles: Roles, columns: Sequence[str]) -> tuple[list[str], list[str]]:
    """The columns that the guard names of all, and those of them that are honest."""
    examples = [_only(example, columns) for example in to_examples(export, roles, NOW)]
    past = read_past(examples, 50, lambda share, what: None, canonical=False)
    named = [leak.column for leak in find_leaking(past.histories, past.labels, ordered=roles.order is not None)]
    known = LEAKS.get(name)
    return named, [column for column in named if known is not None and column not in known]


@dataclass
class Predictions:
    """What was predicted of test leads, and which of them stand in tier A."""

    labels: list[np.ndarray]
    chances: list[np.ndarray]
    in_a: list[np.ndarray]

    def add(self, fitted: Fitted, test: Past) -> None:
        chance = fitted.probability(test)
        self.labels.append(test.labels)
        self.chances.append(chance)
        self.in_a.append(chance >= fitted.cuts.a)

    def figures(self, fitted: Fitted) -> dict[str, Any]:
        labels, chances, in_a = (np.concatenate(parts) for parts in (self.labels, self.chances, self.in_a))
        told = measure(chances, labels, fitted.cuts)
        told.pop("tiers")
        return {**told, **measure_top(in_a, labels)}


def at_random(task: Task, baselines: Baselines, threads: int) -> dict[str, Any]:
    """Folds with equal rows in one fold; figures of each repeat over all its leads, averaged."""
    groups = np.array([group_of(history) for history in task.past.histories])
    told, others = [], []
    shape: Shape | None = None
    for repeat in range(task.repeats):
        ours, theirs = Predictions([], [], []), baselines.start()
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=repeat)
        for train, test in folds.split(groups, task.past.labels, groups):
            plan = Plan(SEED, threads, task.left_out, ordered=False, dated=task.ordered)
            fitted = fit(task.past.take(train), plan, lambda share: None, shape)
            shape = fitted.shape  # chosen on the first training part, then kept: it is one choice of a few
            later = task.past.take(test)
            ours.add(fitted, later)
            theirs.add(task.past.take(train), later, task.left_out)
        told.append(ours.figures(fitted))
        others.append(theirs.figures())
    return _mean(told) | _best(others) | {"model": shape.tell() if shape else ""}


def by_time(task: Task, baselines: Baselines, threads: int) -> dict[str, Any]:
    """The oldest 80% train, the newest 20% test; with chunks, each is predicted by a model of everything before it."""
    rows = len(task.past.labels)
    first = round(rows * 0.8)
    ours, theirs = Predictions([], [], []), baselines.start()
    for test in np.array_split(np.arange(first, rows), task.chunks):
        train = np.arange(test[0])
        fitted = fit(task.past.take(train), Plan(SEED, threads, task.left_out), lambda share: None)  # each chooses anew, as served
        ours.add(fitted, task.past.take(test))
        theirs.add(task.past.take(train), task.past.take(test), task.left_out)
    figures = ours.figures(fitted)
    return figures | _best([theirs.figures()]) | {"model": fitted.shape.tell(), "tier_a_reachable": fitted.cuts.reachable}


def _mean(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: None if any(one[name] is None for one in told) else float(np.mean([one[name] for one in told])) for name in told[0]
    }


def _best(others: Sequence[dict[str, tuple[float, float]]]) -> dict[str, Any]:
    means = {name: tuple(np.mean([one[name] for one in others], axis=0).tolist()) for name in others[0]}
    best = max(means, key=lambda name: means[name][0])
    return {
        "best_baseline": best,
        "best_baseline_auc": means[best][0],
        "best_baseline_log_loss": min(loss for _, loss in means.values()),
        "baselines": {name: {"auc": auc, "log_loss": loss} for name, (auc, loss) in means.items()},
    }


def run(task: Task, baselines: Baselines, threads: int, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """The figures of one task, by name."""
    answer = {}
    for name, split in ((task.name, at_random), (f"{task.name}_time", by_time)):
        if not wanted(name) or (split is by_time and not task.ordered):
            continue
        began = time.monotonic()
        figures = split(task, baselines, threads)
        if task.guard is not None:
            figures |= {"guard_named": task.guard[0], "guard_false": task.guard[1]}
        figures["seconds"] = round(time.monotonic() - began, 1)
        answer[name] = {key: round(value, 5) if isinstance(value, float) else value for key, value in figures.items()}
        print(
            f"{name:<28} AUC {figures['auc']:.4f} (best baseline {figures['best_baseline_auc']:.4f}, {figures['best_baseline']})  "
            f"log loss {figures['log_loss']:.4f} ({figures['best_baseline_log_loss']:.4f})  ECE {figures['ece']:.4f}  "
            f"A {figures['tier_a_precision'] or 0:.3f}/{figures['tier_a_recall']:.3f}/{figures['tier_a_fpr']:.3f}  "
            f"lift {figures['lift_top20pct'] or 0:.2f}  {figures['model']}  {figures['seconds']:.0f} s",
            flush=True,
        )
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--csv", type=Path, help="any file instead")
    parser.add_argument("--target", help="its column of the outcome")
    parser.add_argument("--won", help="the value of a won lead, where it is no common word")
    parser.add_argument("--order", help="its column that rises with creation; # is the order of the rows")
    parser.add_argument("--only", help="names, with commas between")
    parser.add_argument("--baselines", default="catboost,lightgbm,xgboost,hist_gradient_boosting,logistic")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    names = frozenset(asked.only.split(",")) if asked.only else None
    baselines = Baselines(asked.baselines.split(","), asked.threads)
    for missing in baselines.missing:
        print(f"not installed, left out: {missing}")
    if asked.csv:
        if not asked.target:
            parser.error("--csv wants --target")
        export = read_export(asked.csv)
        roles = infer_roles(export, asked.target, won=asked.won, order=asked.order)
        guard = guard_against("", export, roles, roles.columns)
        name = asked.csv.name.removesuffix(".gz").removesuffix(".csv")
        found = iter([make_task(name, export, roles, roles.columns, guard=guard, left_out=frozenset(guard[0]))])
    else:
        found = tasks(asked.data)
    answer: dict[str, Any] = {}
    for task in found:
        answer |= run(task, baselines, asked.threads, lambda name: names is None or name in names)
    if not answer:
        print(f"no data in {asked.data}")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
