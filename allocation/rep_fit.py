"""Which rep does well with which leads, learned from how past leads ended.

One logistic regression over the lead's own probability (as log-odds) and what pairs a rep with a fact of the lead, drawn towards
nought: a rep nobody knows much about does as well as the others. It is worth using only when it foretells outcomes it has not
seen better than the policy's weights do (`compare`); then it is one of the factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any, Final, Self

from allocation.rep import LeadFacts

#: What a rep is paired with. A country or an industry is one word, so that the pairs stay few.
PAIRED: Final = ("tier", "country", "industry", "language", "product")
#: The inverse of how strongly pairs are drawn towards nought.
LOOSENESS: Final = 0.3
FLOOR: Final = 1e-4
LEAST_ENDED: Final = 200
HELD_OUT: Final = 0.3
CONFIDENCE: Final = 0.95
_LEAD: Final = "="  # no rep is called so


@dataclass(frozen=True, slots=True)
class Ended:
    """A lead that was won or lost, with the rep who had it. `weighed` is the fit of the two by the policy's weights, 0-1."""

    lead: LeadFacts
    rep: str
    won: bool
    weighed: float


@dataclass(frozen=True, slots=True)
class RepFit:
    """The learned log-odds: of the lead's own log-odds, of each rep, and of each pair of rep and fact."""

    base: float
    slope: float
    pairs: Mapping[str, float]

    def chance(self, rep: str, lead: LeadFacts) -> float:
        """The probability that the rep wins the lead."""
        log_odds = self.base + self.slope * _log_odds(lead.probability)
        return 1.0 / (1.0 + math.exp(-log_odds - sum(self.pairs.get(name, 0.0) for name in _pairs(rep, lead))))

    def knows(self, rep: str) -> bool:
        """Whether anything was learned about the rep."""
        return rep in self.pairs

    def chances(self, reps: Sequence[str], lead: LeadFacts) -> dict[str, float]:
        """`chance` for several reps, rounded to what a decision record keeps."""
        return {rep: round(self.chance(rep, lead), 6) for rep in reps if self.knows(rep)}

    def to_json(self) -> dict[str, Any]:
        return {"base": self.base, "slope": self.slope, "pairs": dict(self.pairs)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises KeyError or ValueError on anything else."""
        pairs = {str(name): float(value) for name, value in stored["pairs"].items()}
        return cls(float(stored["base"]), float(stored["slope"]), pairs)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How well held-out outcomes were foretold: mean log loss (smaller is better) by the policy's weights and by the learned fit,
    and the confidence interval of their difference. `better` when all of it says the fit is."""

    learned_from: int
    held_out: int
    loss_weights: float
    loss_fit: float
    gain_low: float
    gain_high: float

    @property
    def better(self) -> bool:
        return self.gain_low > 0.0


def learn(ended: Sequence[Ended]) -> RepFit:
    """Fit to leads that ended. Raises ValueError when all of them ended alike."""
    names, table = _columns(
        [{_LEAD: _log_odds(one.lead.probability)} | dict.fromkeys(_pairs(one.rep, one.lead), 1.0) for one in ended]
    )
    base, weights = _regress(table, ended, LOOSENESS)
    found = dict(zip(names, weights, strict=True))
    slope = found.pop(_LEAD)
    return RepFit(round(base, 6), round(slope, 6), {name: round(value, 6) for name, value in found.items()})


def compare(ended: Sequence[Ended]) -> Comparison:
    """Learn from the older leads and foretell the newer ones, by the fit and by the weights alone.

    The weights get the same chance: a regression of their own on the lead's log-odds and the weighed fit. Raises ValueError
    when there are too few leads.
    """
    if len(ended) < LEAST_ENDED:
        raise ValueError(
            f"only {len(ended)} leads that were given by the engine have ended; {LEAST_ENDED} are needed to learn from"
        )
    split = int(len(ended) * (1.0 - HELD_OUT))
    older, newer = ended[:split], ended[split:]
    fit = learn(older)
    table = [[_log_odds(one.lead.probability), one.weighed] for one in older]
    base, (slope, weight) = _regress(table, older, 1e3)
    by_fit = [_loss(fit.chance(one.rep, one.lead), one.won) for one in newer]
    by_weights = [
        _loss(1.0 / (1.0 + math.exp(-base - slope * _log_odds(one.lead.probability) - weight * one.weighed)), one.won)
        for one in newer
    ]
    gains = [ours - theirs for ours, theirs in zip(by_weights, by_fit, strict=True)]
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * stdev(gains) / math.sqrt(len(gains))
    gain = fmean(gains)
    return Comparison(split, len(newer), fmean(by_weights), fmean(by_fit), gain - reach, gain + reach)


def _pairs(rep: str, lead: LeadFacts) -> list[str]:
    facts = ((name, getattr(lead, name)) for name in PAIRED)
    return [rep, *(f"{rep}|{name}={value}" for name, value in facts if value is not None)]


def _log_odds(probability: float) -> float:
    bounded = min(1.0 - FLOOR, max(FLOOR, probability))
    return math.log(bounded / (1.0 - bounded))


def _loss(chance: float, won: bool) -> float:
    bounded = min(1.0 - FLOOR, max(FLOOR, chance))
    return -math.log(bounded if won else 1.0 - bounded)


def _columns(rows: Sequence[Mapping[str, float]]) -> tuple[list[str], Any]:
    from sklearn.feature_extraction import DictVectorizer  # numerics are brought in only where something is learned

    columns = DictVectorizer()
    table = columns.fit_transform(rows)
    return list(columns.get_feature_names_out()), table


def _regress(table: Any, ended: Sequence[Ended], looseness: float) -> tuple[float, list[float]]:
    from sklearn.linear_model import LogisticRegression

    if len({one.won for one in ended}) < 2:
        raise ValueError("all leads to learn from ended alike")
    model = LogisticRegression(C=looseness, max_iter=1000).fit(table, [one.won for one in ended])
    return float(model.intercept_[0]), [float(weight) for weight in model.coef_[0]]
