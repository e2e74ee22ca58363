"""What the models are held against: well-known learners as they come, on the same leads and columns."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from scoring.columns import Column
from scoring.extras import infer_extras
from scoring.past import Past

PACKAGES = {"catboost": "catboost", "lightgbm": "lightgbm", "xgboost": "xgboost"}
#: HistGradientBoosting takes categoricals of up to so many levels.
MOST_LEVELS = 250
Frame: TypeAlias = Any  # pandas.DataFrame, whose types are there in some environments and not in others


class Baselines:
    """The baselines of these names that are installed; `missing` are the others."""

    def __init__(self, names: Sequence[str], threads: int) -> None:
        self.missing = [name for name in names if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None]
        self._names = [name for name in names if name not in self.missing]
        self._threads = threads

    def start(self) -> Scores:
        """An empty sheet for one split."""
        return Scores({name: LEARNERS[name] for name in self._names}, self._threads)


class Scores:
    """What the baselines predicted of test leads."""

    def __init__(self, learners: dict[str, Callable[[Frame, np.ndarray, Frame, int], np.ndarray]], threads: int) -> None:
        self._learners, self._threads = learners, threads
        self._chances: dict[str, list[np.ndarray]] = {name: [] for name in learners}
        self._labels: list[np.ndarray] = []

    def add(self, train: Past, test: Past, left_out: frozenset[str]) -> None:
        """Fit each on `train` and ask it about `test`."""
        columns, _ = infer_extras(train.histories, left_out)
        known, later = (_frame(past, columns) for past in (train, test))
        self._labels.append(test.labels)
        for name, learn in self._learners.items():
            self._chances[name].append(learn(known, train.labels, later, self._threads))

    def figures(self) -> dict[str, tuple[float, float]]:
        """(AUC, log loss) by name."""
        labels = np.concatenate(self._labels)
        told = {name: np.clip(np.concatenate(parts), 1e-6, 1 - 1e-6) for name, parts in self._chances.items()}
        return {name: (float(roc_auc_score(labels, chance)), float(log_loss(labels, chance))) for name, chance in told.items()}


def _frame(past: Past, columns: Sequence[Column]) -> Frame:
    rows = past.rows(columns)
    return pd.DataFrame(
        {
            column.name: pd.Series([row[column.name] for row in rows], dtype=float if column.type == "numeric" else object)
            for column in columns
        }
    )


def _words(frame: Frame) -> list[str]:
    return [name for name in frame if frame[name].dtype == object]


def _catboost(known: Frame, labels: np.ndarray, later: Frame, threads: int) -> np.ndarray:
    from catboost import CatBoostClassifier

    words = _words(known)
    known, later = (
        frame.assign(**{name: frame[name].fillna("(missing)").astype(str) for name in words}) for frame in (known, later)
    )
    model = CatBoostClassifier(verbose=0, thread_count=threads, allow_writing_files=False, random_seed=0, cat_features=words)
    return np.asarray(model.fit(known, labels).predict_proba(later)[:, 1])


def _as_categories(known: Frame, later: Frame) -> tuple[Frame, Frame]:
    levels = {name: pd.CategoricalDtype(sorted(known[name].dropna().unique())) for name in _words(known)}
    return known.astype(levels), later.astype(levels)


def _plain_names(frame: Frame) -> Frame:
    """LightGBM and XGBoost refuse some headings."""
    return frame.set_axis([f"c{place}" for place in range(frame.shape[1])], axis=1)


def _lightgbm(known: Frame, labels: np.ndarray, later: Frame, threads: int) -> np.ndarray:
    from lightgbm import LGBMClassifier

    known, later = _as_categories(_plain_names(known), _plain_names(later))
    return np.asarray(LGBMClassifier(n_jobs=threads, verbose=-1, random_state=0).fit(known, labels).predict_proba(later)[:, 1])


def _xgboost(known: Frame, labels: np.ndarray, later: Frame, threads: int) -> np.ndarray:
    from xgboost import XGBClassifier

    known, later = _as_categories(_plain_names(known), _plain_names(later))
    model = XGBClassifier(n_jobs=threads, enable_categorical=True, random_state=0)
    return np.asarray(model.fit(known, labels).predict_proba(later)[:, 1])


def _hist(known: Frame, labels: np.ndarray, later: Frame, threads: int) -> np.ndarray:
    words = _words(known)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    few = [name for name in words if known[name].nunique() <= MOST_LEVELS]
    turn = ColumnTransformer([("words", encoder, words)], remainder="passthrough", verbose_feature_names_out=False)
    turn.set_output(transform="pandas")
    model = HistGradientBoostingClassifier(random_state=0, categorical_features=few)
    return np.asarray(model.fit(turn.fit_transform(known), labels).predict_proba(turn.transform(later))[:, 1])


def _logistic(known: Frame, labels: np.ndarray, later: Frame, threads: int) -> np.ndarray:
    words = _words(known)
    known, later = (frame.assign(**{name: frame[name].fillna("(missing)") for name in words}) for frame in (known, later))
    numbers = [name for name in known if name not in words]
    turn = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore", min_frequency=5), words),
            ("numbers", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
        ]
    )
    return np.asarray(make_pipeline(turn, LogisticRegression(max_iter=1000)).fit(known, labels).predict_proba(later)[:, 1])


LEARNERS = {
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "hist_gradient_boosting": _hist,
    "logistic": _logistic,
}
