"""What another policy would be worth, from past leads whose rep was drawn with a known propensity.

Two estimates of the mean reward had the new policy chosen: inverse propensity (unbiased, noisy) and doubly robust (a fitted reward
corrected by the same weights; unbiased when either the propensities or the fit are right). Dudík, Langford and Li 2011,
"Doubly Robust Policy Evaluation and Learning". Both are stated as the lift over what really happened, from paired differences,
with a normal interval: each lead is one draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from leads.enums import VerdictKind
from leads.results import Decision


@dataclass(frozen=True, slots=True)
class Drawn:
    """One past lead: who got it and with what probability, how it ended, and whom the new policy chooses.

    `reward` is 1 for won and 0 for lost, or an amount. `fits` is what a reward model expects of each rep, by id; it must not have
    been fitted on this lead.
    """

    rep: str
    propensity: float
    reward: float
    choice: str
    fits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A lift in the unit of the reward, with its confidence interval and standard error."""

    lift: float
    low: float
    high: float
    error: float


@dataclass(frozen=True, slots=True)
class Lift:
    """Both estimates. `matched` leads had the rep the new policy chooses: with few of them no estimate says much."""

    leads: int
    matched: int
    happened: float
    inverse_propensity: Estimate
    doubly_robust: Estimate


def propensity_of(decision: Decision) -> float | None:
    """The logged probability with which the chosen rep was chosen; None when nothing was left to chance."""
    for verdict in decision.verdicts:
        if verdict.kind is VerdictKind.CHOSEN:
            return verdict.factors.get("propensity")
    return None


def estimate_lift(past: Sequence[Drawn], confidence: float = 0.95) -> Lift:
    """The lift of the new policy over what happened. Raises ValueError without leads, or with a propensity outside (0, 1]."""
    if not past:
        raise ValueError("there is no past lead with a logged propensity; set explore in the policy and wait")
    for lead in past:
        if not 0.0 < lead.propensity <= 1.0:
            raise ValueError(f"a propensity of {lead.propensity} is not within (0, 1]")
    weights = [(lead.rep == lead.choice) / lead.propensity for lead in past]
    inverse = [weight * lead.reward - lead.reward for lead, weight in zip(past, weights, strict=True)]
    robust = [
        lead.fits.get(lead.choice, 0.0) + weight * (lead.reward - lead.fits.get(lead.rep, 0.0)) - lead.reward
        for lead, weight in zip(past, weights, strict=True)
    ]
    return Lift(
        len(past),
        sum(weight > 0 for weight in weights),
        sum(lead.reward for lead in past) / len(past),
        _estimate(inverse, confidence),
        _estimate(robust, confidence),
    )


def _estimate(differences: Sequence[float], confidence: float) -> Estimate:
    count = len(differences)
    mean = math.fsum(differences) / count
    spread = math.fsum((difference - mean) ** 2 for difference in differences) / max(1, count - 1)
    error = math.sqrt(spread / count) if count > 1 else math.inf
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Estimate(mean, mean - reach, mean + reach, error)
