"""The CatBoost scorer: few levels are split one by one, many levels are told as rates, exact SHAP reasons."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.columns import Column, FloatArray, Matrix, Row
from scoring.level_rates import LevelRates, learn_level_rates, of_many_levels
from scoring.shapley import LeafTables

if TYPE_CHECKING:
    from catboost import CatBoostClassifier

#: CatBoost's own target statistics are never wanted: they train many times slower and have no exact reasons (see `level_rates`).
ONE_HOT_MAX: Final = 255
#: Where the model file keeps the rates of levels.
RATES: Final = "leadswitch_level_rates"
#: Share of the work between two calls of the progress callback.
REPORT_EVERY: Final = 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the trees are grown."""

    iterations: int
    depth: int
    learning_rate: float
    l2_leaf_reg: float
    #: The share of columns that each split may choose from: trees that differ more err less together.
    columns_share: float
    #: A number is cut in so many places.
    borders: int = 254
    #: The share of leads that each tree is grown from.
    leads_share: float = 0.8


def choose_recipe(leads: int) -> Recipe:
    """Shallower, fewer and slower trees the fewer leads there are; a lead seen at several ages is still one."""
    if leads < 500:
        return Recipe(150, 3, 0.04, 8.0, 1.0)
    if leads < 3_000:
        return Recipe(300, 4, 0.04, 5.0, 1.0)
    if leads < 50_000:
        return Recipe(400, 5, 0.04, 5.0, 0.3)
    return Recipe(500, 6, 0.1, 3.0, 1.0, borders=64, leads_share=0.5)


class BoostedScorer:
    """A fitted CatBoost model over `columns`. Raw values are log-odds before calibration."""

    source: Final = "model"
    family: Final = "trees"

    def __init__(self, model: CatBoostClassifier, columns: Sequence[Column], rates: LevelRates, threads: int = 1) -> None:
        self.columns = tuple(columns)
        self.threads = threads
        self._model = model
        self._rates = rates
        self._matrix = Matrix(self.columns)
        self._many = of_many_levels(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The order of the columns in `contributions`."""
        return self._matrix.names

    @property
    def base(self) -> float:
        """The mean raw value over the training leads, in log-odds."""
        return self._tables.base

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        """Log-odds of each row, shape (rows,)."""
        answer = self._model.predict(self._pool(rows), prediction_type="RawFormulaVal", thread_count=self.threads)
        return np.asarray(answer, dtype=np.float64)

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        """SHAP values in log-odds, shape (rows, names); each row sums, with `base`, to its raw value."""
        leaves = self._model.calc_leaf_indexes(self._pool(rows), thread_count=self.threads)
        return self._tables.look_up(np.asarray(leaves).reshape(len(rows), -1))

    @cached_property
    def _tables(self) -> LeafTables:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self._model.save_model(str(path), format="json")
            told = json.loads(path.read_text(encoding="utf-8"))
        _, bias = told["scale_and_bias"]
        start = len(self._matrix.numeric)
        many = [start + place for place in self._many]
        few = [place for place in range(start, len(self.names)) if place not in many]
        return LeafTables(told["oblivious_trees"], float(bias[0]), [*range(start), *many], few)

    def with_columns(self, columns: Sequence[Column]) -> BoostedScorer:
        """The same scorer, its columns told differently (weighed)."""
        return BoostedScorer(self._model, columns, self._rates, self.threads)

    def _pool(self, rows: Sequence[Row]) -> Any:
        numbers, levels = self._matrix.fill(rows)
        if not self._many:
            return _make_pool(numbers, levels)
        told = self._rates.read(levels[:, self._many])
        return _make_pool(np.column_stack([numbers, told]), np.delete(levels, self._many, axis=1))

    def to_bytes(self) -> bytes:
        """The model in CatBoost's binary format."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            self._model.save_model(str(path))
            return path.read_bytes()

    def fingerprint(self) -> bytes:
        """Bytes that are equal for equally trained models; the file itself holds the time of training."""
        leaves = np.asarray(self._model.get_leaf_values(), dtype=np.float64).tobytes()
        return leaves + "\n".join(self.names).encode() + json.dumps(self._rates.tables).encode()

    @classmethod
    def from_bytes(cls, blob: bytes, columns: Sequence[Column], threads: int = 1) -> BoostedScorer:
        """The scorer written by `to_bytes`. Raises ValueError when the bytes are no model."""
        from catboost import CatBoostClassifier, CatBoostError

        model = CatBoostClassifier()
        try:
            model.load_model(blob=blob)
            rates = LevelRates(json.loads(model.get_metadata()[RATES]))
        except (CatBoostError, KeyError) as error:
            raise ValueError("the model file is not a CatBoost model of ours") from error
        return cls(model, columns, rates, threads)

    @classmethod
    def fit(
        cls,
        rows: Sequence[Row],
        labels: FloatArray,
        weights: FloatArray,
        columns: Sequence[Column],
        *,
        seed: int,
        threads: int,
        progress: Callable[[float], None],
        recipe: Recipe | None = None,
        unread: str | None = None,
    ) -> BoostedScorer:
        """Grow the trees. `labels` are 0 and 1, `weights` say how much each row counts; `progress` is told the finished share.

        Rows are in order of time. Without a `recipe` one is chosen by the number of leads. The trees never ask about the numeric
        column `unread`.
        """
        from catboost import CatBoostClassifier

        recipe = recipe or choose_recipe(round(float(weights.sum())))
        matrix, many = Matrix(columns), of_many_levels(columns)
        numbers, levels = matrix.fill(rows)
        rates, own = learn_level_rates([matrix.categorical[place] for place in many], levels[:, many], labels, weights)
        pool = _make_pool(np.column_stack([numbers, own]), np.delete(levels, many, axis=1), labels, weights)
        model = CatBoostClassifier(
            iterations=recipe.iterations,
            depth=recipe.depth,
            learning_rate=recipe.learning_rate,
            l2_leaf_reg=recipe.l2_leaf_reg,
            rsm=recipe.columns_share if len(columns) > 3 else 1.0,
            border_count=recipe.borders,
            bootstrap_type="MVS",
            subsample=recipe.leads_share,
            ignored_features=[matrix.names.index(unread)] if unread else [],
            one_hot_max_size=ONE_HOT_MAX,
            metadata={RATES: json.dumps(rates.tables)},
            random_seed=seed,
            thread_count=threads,
            allow_writing_files=False,
            verbose=False,
        )
        model.fit(pool, callbacks=[_Reporter(recipe.iterations, progress)])
        return cls(model, columns, rates)


def _make_pool(
    numbers: NDArray[np.float32], levels: NDArray[np.object_], labels: FloatArray | None = None, weights: FloatArray | None = None
) -> Any:
    # Imported where it is used: the web process scores nothing and should not pay the second and 80 MB it costs.
    from catboost import FeaturesData, Pool

    shown = FeaturesData(
        num_feature_data=np.ascontiguousarray(numbers) if numbers.shape[1] else None,
        cat_feature_data=levels if levels.shape[1] else None,
    )
    return Pool(shown, labels, weight=weights)


class _Reporter:
    """Passes CatBoost's iterations on to a progress callback."""

    def __init__(self, iterations: int, progress: Callable[[float], None]) -> None:
        self._iterations = iterations
        self._progress = progress

    def after_iteration(self, info: Any) -> bool:
        if info.iteration % REPORT_EVERY == 0 or info.iteration >= self._iterations:
            self._progress(min(1.0, info.iteration / self._iterations))
        return True
