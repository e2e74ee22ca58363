"""The model families side by side on the newest leads, with intervals: what the served model was chosen over.

scikit-learn's families are Pipelines: medians for missing numbers with a flag, signed logarithms, rare levels grouped,
one-hot. They are compared and not served: of forests and networks there are no exact reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from scoring.boosted import BoostedScorer
from scoring.calibration import squash
from scoring.columns import Column, FloatArray, Matrix, Row
from scoring.evaluation import calibration_error

#: Resamples of the leads behind each interval, and its tails.
RESAMPLES: Final = 100
TAILS: Final = (2.5, 97.5)
#: Levels of fewer rows are grouped.
RARE: Final = 10
FAMILIES: Final[Mapping[str, Callable[[int], Any]]] = {
    "hist_gradient_boosting": lambda seed: HistGradientBoostingClassifier(learning_rate=0.05, max_iter=200, random_state=seed),
    "mlp": lambda seed: MLPClassifier((24,), alpha=5.0, max_iter=60, early_stopping=True, random_state=seed),
    "logistic": lambda seed: LogisticRegression(C=0.1, max_iter=500),
    "decision_tree": lambda seed: DecisionTreeClassifier(max_depth=6, min_samples_leaf=20, random_state=seed),
    "random_forest": lambda seed: RandomForestClassifier(200, min_samples_leaf=5, random_state=seed),
    "extra_trees": lambda seed: ExtraTreesClassifier(200, min_samples_leaf=5, random_state=seed),
}
FIGURES: Final = ("accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier", "ece")


def compare(
    train: tuple[Sequence[Row], FloatArray],
    test: tuple[Sequence[Row], FloatArray],
    columns: Sequence[Column],
    seed: int,
    threads: int,
) -> list[dict[str, Any]]:
    """A line a family, best log loss first: its name and for each figure (value, low, high) with a 95% bootstrap interval by lead.

    `train` and `test` are rows and labels 0/1; both outcomes must occur in each.
    """
    rows, labels = train
    trees = BoostedScorer.fit(rows, labels, np.ones(len(rows)), columns, seed=seed, threads=threads, progress=lambda share: None)
    chances = {"catboost": squash(trees.raw(test[0]))}
    known, later = (_fill(part[0], columns) for part in (train, test))
    for name, make in FAMILIES.items():
        model = make_pipeline(_prepare(columns), make(seed))
        chances[name] = np.asarray(model.fit(known, labels).predict_proba(later)[:, 1], dtype=np.float64)
    lines = [{"family": name, **_figures(test[1], np.clip(chance, 1e-6, 1 - 1e-6), seed)} for name, chance in chances.items()]
    return sorted(lines, key=lambda line: line["log_loss"][0])


def _fill(rows: Sequence[Row], columns: Sequence[Column]) -> Any:
    """Numbers first, then levels as text, shape (rows, columns)."""
    numbers, levels = Matrix(columns).fill(rows)
    words = np.array([[level.decode() for level in row] for row in levels], dtype=object).reshape(len(rows), levels.shape[1])
    return np.column_stack([numbers.astype(object), words])


def _prepare(columns: Sequence[Column]) -> ColumnTransformer:
    matrix = Matrix(columns)
    middle = len(matrix.numeric)
    numbers = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("bend", FunctionTransformer(_bend)),
            ("scale", StandardScaler()),
        ]
    )
    levels = OneHotEncoder(min_frequency=RARE, handle_unknown="infrequent_if_exist", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, list(range(middle))), ("levels", levels, list(range(middle, middle + len(matrix.categorical))))]
    )


def _bend(values: Any) -> FloatArray:
    """The signed logarithm: nearly a straight line for small numbers, and it tames long tails."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.asarray(np.sign(numbers) * np.log1p(np.abs(numbers)))


def _figures(labels: FloatArray, chance: FloatArray, seed: int) -> dict[str, tuple[float, float, float]]:
    generator = np.random.default_rng(seed)
    drawn = [generator.integers(0, len(labels), len(labels)) for _ in range(RESAMPLES)]
    found = [_measure(labels[places], chance[places]) for places in drawn if 0 < labels[places].sum() < len(places)]
    low, high = np.percentile(found, TAILS, axis=0)
    return {
        name: (value, float(low[place]), float(high[place]))
        for place, (name, value) in enumerate(zip(FIGURES, _measure(labels, chance), strict=True))
    }


def _measure(labels: FloatArray, chance: FloatArray) -> list[float]:
    """In the order of FIGURES; the calls are those of a chance of one half."""
    called = chance >= 0.5
    right = float(labels[called].sum())
    precision, recall = right / max(1.0, float(called.sum())), right / float(labels.sum())
    return [
        float((called == labels).mean()),
        precision,
        recall,
        2 * precision * recall / max(1e-12, precision + recall),
        float(roc_auc_score(labels, chance)),
        float(-np.log(np.where(labels > 0, chance, 1 - chance)).mean()),
        float(((chance - labels) ** 2).mean()),
        calibration_error(chance, labels),
    ]
