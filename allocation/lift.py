"""What another policy would be worth, from past leads whose rep was drawn with a known propensity.

Two estimates of the mean reward had the new policy chosen: inverse propensity (unbiased, noisy) and doubly robust (a fitted reward
corrected by the same weights; unbiased when either the propensities or the fit are right). Dudík, Langford and Li 2011,
"Doubly Robust Policy Evaluation and Learning". Both are stated as the lift over what really happened, from paired differences: each
lead is one draw. The interval is normal, with one more lead thought of in the spread: one with the largest weight that could have
come. Without it a short past in which no rare draw happened to come would look certain (as in Agresti and Coull 1998, who add
such thought leads to a share).

In a rotation a lot falls only where the ledger leaves room (`allocation.lots`), so that at times the new policy's choice could not
have been drawn though the rep was free. Whether it could depends on whose turn it was, not on the lead: leads of the same choice
where it could stand for those where it could not.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from leads.enums import VerdictKind
from leads.results import Decision


@dataclass(frozen=True, slots=True)
class Drawn:
    """One past lead: who got it and with what probability, how it ended, and whom the new policy chooses.

    `reward` is 1 for won and 0 for lost, or an amount. `fits` is what a reward model expects of each rep, by id; it must not have
    been fitted on this lead. `choice_propensity` is the logged chance that the new policy's choice had, 0 when the lot could not
    fall on them then.
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
    """The lift of the new policy over what happened, over the leads whose choice was within reach of the lot at least once.

    Raises ValueError without such leads, or with a propensity that is none.
    """
    for lead in past:
        if not (0.0 < lead.propensity <= 1.0 and 0.0 <= lead.choice_propensity <= 1.0):
            raise ValueError(f"a propensity of {min(lead.propensity, lead.choice_propensity)} is not within (0, 1]")
    reachable = {lead.choice for lead in past if lead.choice_propensity > 0.0}
    past = [lead for lead in past if lead.choice in reachable]
    if not past:
        raise ValueError("there is no past lead with a logged propensity; set explore in the policy and wait")
    weights = [(lead.rep == lead.choice) / lead.propensity for lead in past]
    rewards = [lead.reward for lead in past]
    expected = [lead.fits.get(lead.choice, 0.0) for lead in past]
    misses = [lead.reward - lead.fits.get(lead.rep, 0.0) for lead in past]
    inverse = _spread_over(past, [weight * reward for weight, reward in zip(weights, rewards, strict=True)])
    robust = _spread_over(past, [weight * miss for weight, miss in zip(weights, misses, strict=True)])
    rarest = max(1.0 / lead.choice_propensity for lead in past if lead.choice_propensity > 0.0)
    return Lift(
        len(past),
        sum(weight > 0 for weight in weights),
        sum(rewards) / len(past),
        _estimate([new - old for new, old in zip(inverse, rewards, strict=True)], rarest * max(map(abs, rewards)), confidence),
        _estimate(
            [fit + more - old for fit, more, old in zip(expected, robust, rewards, strict=True)],
            rarest * max(map(abs, misses)),
            confidence,
        ),
    )


def _spread_over(past: Sequence[Drawn], values: Sequence[float]) -> list[float]:
    """A value for every lead, the mean of which is that of the leads within reach of the lot, choice by choice.

    A lead out of reach has the mean of its choice, and the others are that much further from it: each counts for more than itself.
    """
    count = Counter(lead.choice for lead in past)
    reached = Counter(lead.choice for lead in past if lead.choice_propensity > 0.0)
    sums: defaultdict[str, float] = defaultdict(float)
    for lead, value in zip(past, values, strict=True):
        if lead.choice_propensity > 0.0:
            sums[lead.choice] += value
    spread = []
    for lead, value in zip(past, values, strict=True):
        mean = sums[lead.choice] / reached[lead.choice]
        apart = value - mean if lead.choice_propensity > 0.0 else 0.0
        spread.append(mean + apart * count[lead.choice] / reached[lead.choice])
    return spread


def _estimate(differences: Sequence[float], rarest: float, confidence: float) -> Estimate:
    """`rarest` is the largest difference that a rare draw could have made."""
    count = len(differences)
    mean = math.fsum(differences) / count
    squares = math.fsum((difference - mean) ** 2 for difference in differences) + rarest**2
    error = math.sqrt(squares / count / (count - 1)) if count > 1 else math.inf
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Estimate(mean, mean - reach, mean + reach, error)
