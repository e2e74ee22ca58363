"""Figures about a scorer on leads it has not seen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score

from leads.enums import Tier
from scoring.columns import FloatArray
from scoring.intervals import wilson
from scoring.tiers import Cuts

BINS: Final = 10
TIERS: Final = (Tier.A, Tier.B, Tier.C, Tier.D)


def calibration_error(probability: FloatArray, labels: FloatArray, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal size: the mean gap between promised and observed share."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    return float(sum(len(part) * abs(probability[part].mean() - labels[part].mean()) for part in parts) / len(order))


def tier_table(probability: FloatArray, labels: FloatArray, cuts: Cuts) -> dict[str, dict[str, float]]:
    """Leads, conversions, observed share and its Wilson interval in each tier."""
    tiers = np.array([cuts.tier(value) for value in probability])
    table = {}
    for tier in TIERS:
        won, rows = int(labels[tiers == tier].sum()), int((tiers == tier).sum())
        low, high = wilson(won, rows)
        table[tier.value] = {"leads": rows, "won": won, "rate": won / rows if rows else 0.0, "low": low, "high": high}
    return table


def value_table(probability: FloatArray, labels: FloatArray, amounts: FloatArray, cuts: Cuts) -> dict[str, dict[str, float]]:
    """Of each tier's leads whose deal size is known (`amounts`, NaN where not): how many, what one was expected to bring, and what
    one brought, in the tenant's currency. Tiers without such leads are left out."""
    tiers = np.array([cuts.tier(value) for value in probability])
    table = {}
    for tier in TIERS:
        mine = (tiers == tier) & np.isfinite(amounts)
        if mine.any():
            expected, brought = (float((share[mine] * amounts[mine]).mean()) for share in (probability, labels))
            table[tier.value] = {"leads": int(mine.sum()), "expected": expected, "brought": brought}
    return table


def _top_rate(probability: FloatArray, labels: FloatArray, rows: int) -> float:
    top = np.argsort(-probability, kind="stable")[:rows]
    return float(labels[top].mean()) if len(top) else 0.0


def measure_top(in_a: NDArray[np.bool_], labels: FloatArray) -> dict[str, float | None]:
    """Precision and recall of tier A, and the share of non-converting leads in it."""
    return {
        "tier_a_precision": float(labels[in_a].mean()) if in_a.any() else None,
        "tier_a_recall": float(labels[in_a].sum() / max(1.0, labels.sum())),
        "tier_a_fpr": float((1 - labels[in_a]).sum() / max(1.0, (1 - labels).sum())),
    }


def measure(probability: FloatArray, labels: FloatArray, cuts: Cuts) -> dict[str, Any]:
    """All figures of one holdout. `auc` is None where only one outcome occurs.

    `lift_top20pct` is the rate of the top fifth over the rate of the rest; `tier_a_fpr` the share of non-converting leads in A.
    """
    both = 0 < labels.sum() < len(labels)
    guess = probability >= 0.5
    fifth = max(1, round(len(labels) / 5))
    top = _top_rate(probability, labels, fifth)
    rest = (labels.sum() - top * fifth) / max(1, len(labels) - fifth)
    in_a = probability >= cuts.a
    return {
        "rows": len(labels),
        "won": int(labels.sum()),
        "auc": float(roc_auc_score(labels, probability)) if both else None,
        "log_loss": float(log_loss(labels, probability, labels=[0, 1])),
        "brier": float(brier_score_loss(labels, probability, pos_label=1)) if both else float(np.mean((probability - labels) ** 2)),
        "ece": calibration_error(probability, labels),
        "accuracy": float((guess == labels).mean()),
        "f1": float(f1_score(labels, guess, zero_division=0)),
        "p_at_20": _top_rate(probability, labels, 20),
        "precision_top20pct": top,
        "lift_top20pct": float(top / rest) if rest > 0 else None,
        **measure_top(in_a, labels),
        "tiers": tier_table(probability, labels, cuts),
    }
