"""How fast training is: 180,000 leads, 50 columns (12 categorical with up to 400 levels), 500 trees, two threads.

    python -m bench.train [--rows 180000] [--trees 500] [--threads 2]

The product's scorer against CatBoost's defaults with as many trees, on the same invented leads and machine.
Last line: JSON with train_s, default_train_s, speedup, auc, default_auc, auc_loss (how much lower ours is).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from sklearn.metrics import roc_auc_score

from leads.records import FieldValue
from scoring.boosted import BoostedScorer, choose_recipe
from scoring.columns import Column
from scoring.extras import pick_levels

LEVELS = (2, 3, 4, 6, 8, 12, 20, 40, 80, 150, 250, 400)
NUMBERS = 38
TEST_SHARE = 0.2


def make_leads(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers of several shapes, levels with effects of their own, and two interactions; about one lead in four is won."""
    random = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    odds = np.full(rows, -1.6)
    for place in range(NUMBERS):
        values = random.normal(size=rows) if place % 3 else random.lognormal(size=rows)
        odds += random.normal(0, 0.15) * (np.log(values) if place % 3 == 0 else values)
        columns[f"n{place}"] = np.where(random.random(rows) < 0.1, np.nan, values)
    for place, count in enumerate(LEVELS):
        level = np.minimum((count * random.random(rows) ** 1.7).astype(int), count - 1)
        odds += random.normal(0, 0.35, count)[level]
        columns[f"c{place}"] = np.array([f"level {number}" for number in range(count)], dtype=object)[level]
    odds += 0.6 * (columns["c0"] == "level 0") * np.nan_to_num(columns["n1"]) + 0.5 * (np.nan_to_num(columns["n2"]) > 1)
    return pd.DataFrame(columns), (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=180_000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    frame, labels = make_leads(asked.rows, seed=1)
    cut = round(asked.rows * (1 - TEST_SHARE))
    rows: list[dict[str, FieldValue]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    columns = [
        Column(name, "categorical", pick_levels(frame[name][:cut].tolist())) if name.startswith("c") else Column(name, "numeric")
        for name in frame
    ]
    recipe = replace(choose_recipe(cut), iterations=asked.trees)
    began = time.monotonic()
    ours = BoostedScorer.fit(
        rows[:cut], labels[:cut], np.ones(cut), columns, seed=1, threads=asked.threads, progress=lambda share: None, recipe=recipe
    )
    train_s = time.monotonic() - began
    auc = float(roc_auc_score(labels[cut:], ours.raw(rows[cut:])))
    print(f"ours: {train_s:.1f} s, AUC {auc:.4f}", flush=True)
    words = [name for name in frame if name.startswith("c")]
    plain = CatBoostClassifier(
        iterations=asked.trees,
        thread_count=asked.threads,
        random_seed=1,
        verbose=max(1, asked.trees // 20),  # it takes minutes: a line now and then tells that it goes on, and how long still
        allow_writing_files=False,
        cat_features=words,
    )
    began = time.monotonic()
    plain.fit(frame[:cut], labels[:cut])
    default_s = time.monotonic() - began
    default_auc = float(roc_auc_score(labels[cut:], plain.predict_proba(frame[cut:])[:, 1]))
    print(f"CatBoost's defaults: {default_s:.1f} s, AUC {default_auc:.4f}")
    told = {
        "train_s": train_s,
        "default_train_s": default_s,
        "speedup": default_s / train_s,
        "auc": auc,
        "default_auc": default_auc,
        "auc_loss": default_auc - auc,
    }
    print(json.dumps({name: round(value, 4) for name, value in told.items()} | {"rows": asked.rows, "trees": asked.trees}))


if __name__ == "__main__":
    main()
