"""Tiers: cuts of the calibrated probability that belong to the tenant, learned on a slice the model did not see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from leads.enums import Tier
from scoring.columns import FloatArray
from scoring.intervals import wilson

#: A is at most the top fifth, at least this precise, and holds at most this share of the leads that do not convert.
A_SHARE: Final = 0.20
A_PRECISION: Final = 0.90
A_FALSE_SHARE: Final = 0.05
#: The share of false ones in A is held to its bound with this confidence (95%, one side), and not merely where it was counted.
SURE: Final = 1.645
#: B reaches down to the upper half, C to the upper four fifths.
B_SHARE: Final = 0.50
C_SHARE: Final = 0.80
#: A precision measured on fewer rows than this says nothing.
MIN_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Cuts:
    """The lowest probability of tiers A, B and C. `reachable` tells whether A met the precision target where it was learned."""

    a: float
    b: float
    c: float
    reachable: bool = True

    def tier(self, probability: float) -> Tier:
        """The tier of a calibrated probability."""
        if probability >= self.a:
            return Tier.A
        if probability >= self.b:
            return Tier.B
        return Tier.C if probability >= self.c else Tier.D

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for the bundle."""
        return {"a": self.a, "b": self.b, "c": self.c, "reachable": self.reachable}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Cuts:
        """The cuts written by `to_json`."""
        return cls(float(stored["a"]), float(stored["b"]), float(stored["c"]), bool(stored["reachable"]))


def learn_cuts(probability: FloatArray, labels: FloatArray) -> Cuts:
    """Cuts from calibrated probabilities (rows,) and outcomes 0/1 (rows,) of a slice held out from training.

    A is the smaller of the top fifth and the largest top part that meets the precision target, cut so high that at most
    `A_FALSE_SHARE` of the leads that do not convert are in it: of the leads to come, by the upper 95% bound of what was counted.
    Where no top part meets the target, A is bounded by size and by false ones alone and `reachable` is False. Where too few leads
    were lost to bound anything (fewer than 52), A begins where the probability itself promises the target.
    """
    steps = np.unique(probability)[::-1]
    order = np.sort(probability)
    won = np.sort(probability[labels > 0])
    taken = len(order) - np.searchsorted(order, steps, side="left")
    right = len(won) - np.searchsorted(won, steps, side="left")
    lost = len(order) - len(won)
    small = taken <= max(1, round(A_SHARE * len(order)))
    if wilson(0, lost, SURE)[1] <= A_FALSE_SHARE:
        bounded = np.array([wilson(int(wrong), lost, SURE)[1] <= A_FALSE_SHARE for wrong in taken - right])
    else:
        bounded = steps >= A_PRECISION
    precise = (right >= A_PRECISION * taken) & (taken >= MIN_ROWS)
    reachable = bool((small & bounded & precise).any())
    allowed = steps[small & bounded & precise] if reachable else steps[small & bounded]
    top = float(allowed.min()) if allowed.size else float(np.nextafter(max(steps[0], A_PRECISION), 2.0))
    b = min(top, float(np.quantile(probability, 1 - B_SHARE)))
    c = min(b, float(np.quantile(probability, 1 - C_SHARE)))
    return Cuts(top, b, c, reachable)
