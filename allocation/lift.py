"""What another policy would be worth, from past leads whose rep was drawn with a known propensity.

Two estimates of the mean reward had the new policy chosen: inverse propensity (unbiased, noisy) and doubly robust (a fitted reward
corrected by the same weights; unbiased when either the propensities or the fit are right). Dudík, Langford and Li 2011,
"Doubly Robust Policy Evaluation and Learning". Both are stated as the lift over what really happened, from paired differences: each
lead is one draw. The interval is normal, with one more lead thought of in the spread: one with the largest weight that could have
come. Without it a short past in which no rare draw happened to come would look certain (as in Agresti and Coull 1998, who add
such thought leads to a share).
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
    been fitted on this lead. `choice_propensity` is the logged chance that the new policy's choice had.
    """

    rep: str
    propensity: float
    reward: float
    choice: str
    fits: Mapping[str, float]
    choice_propensity: float


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
        for chance in (lead.propensity, lead.choice_propensity):
            if not 0.0 < chance <= 1.0:
                raise ValueError(f"a propensity of {chance} is not within (0, 1]")
    weights = [(lead.rep == lead.choice) / lead.propensity for lead in past]
    inverse = [weight * lead.reward - lead.reward for lead, weight in zip(past, weights, strict=True)]
    robust = [
        lead.fits.get(lead.choice, 0.0) + weight * (lead.reward - lead.fits.get(lead.rep, 0.0)) - lead.reward
        for lead, weight in zip(past, weights, strict=True)
    ]
    rarest = max(1.0 / lead.choice_propensity for lead in past)
    rewards = [abs(lead.reward) for lead in past]
    misses = [abs(lead.reward - lead.fits.get(lead.rep, 0.0)) for lead in past]
    return Lift(
        len(past),
        sum(weight > 0 for weight in weights),
        sum(lead.reward for lead in past) / len(past),
        _estimate(inverse, rarest * max(rewards), confidence),
        _estimate(robust, rarest * max(misses), confidence),
    )


def _estimate(differences: Sequence[float], rarest: float, confidence: float) -> Estimate:
    """`rarest` is the largest difference that a rare draw could have made."""
    count = len(differences)
    mean = math.fsum(differences) / count
    squares = math.fsum((difference - mean) ** 2 for difference in differences) + rarest**2
    error = math.sqrt(squares / count / (count - 1)) if count > 1 else math.inf
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Estimate(mean, mean - reach, mean + reach, error)
