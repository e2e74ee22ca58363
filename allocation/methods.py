"""How the eligible reps are put in order. Every method ends in the order of the rotation where its own says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from allocation.fairness import Rotation, Turn
from allocation.gates import ATTRIBUTE
from allocation.languages import NAMES
from allocation.policy import Plan, Policy
from allocation.rep import LeadFacts, Rep
from allocation.terms import FACTORS, SKILLS, Method, in_postcodes

#: What a rep without any cap counts as able to hold, where methods compare loads.
OPEN_WITHOUT_CAP: Final = 50


@dataclass(frozen=True, slots=True)
class Field:
    """Everything a method may look at for one lead. `order` is the rotation's, next one first."""

    lead: LeadFacts
    plan: Plan
    policy: Policy
    reps: Mapping[str, Rep]
    order: Sequence[Turn]
    rotation: Rotation
    parts: Mapping[str, float]
    at: datetime


@dataclass(frozen=True, slots=True)
class Ranked:
    """One eligible rep with the numbers that put them in their place."""

    rep: str
    factors: Mapping[str, float]


def rank(field: Field) -> list[Ranked]:
    """The eligible reps, best first, by the plan's method."""
    return RANKERS[field.plan.method](field)


def _rotation(field: Field) -> list[Ranked]:
    seats, parts = field.rotation.seats, field.parts
    return [
        Ranked(turn.rep, {"due": turn.due, "credit": round(seats[turn.rep].credit, 6), "share": round(parts[turn.rep], 6)})
        for turn in field.order
    ]


def _by(field: Field, number: Callable[[Rep], float], name: str, *, highest: bool = False) -> list[Ranked]:
    """Order by one number, the lowest (or highest) first; equals keep the rotation's order."""
    numbers = {turn.rep: number(field.reps[turn.rep]) for turn in field.order}
    order = sorted(field.order, key=lambda turn: -numbers[turn.rep] if highest else numbers[turn.rep])
    return [Ranked(turn.rep, {name: round(numbers[turn.rep], 6)}) for turn in order]


def load(rep: Rep, plan: Plan) -> float:
    """Open leads as a part of what the rep can hold; the weight stands in where there is no cap."""
    cap = plan.caps.open if rep.caps.open is None else rep.caps.open
    return rep.open_leads / cap if cap else rep.open_leads / (OPEN_WITHOUT_CAP * max(weight_of(rep, plan), 1e-6))


def weight_of(rep: Rep, plan: Plan) -> float:
    """The rep's weight in the team: the team's table before the rep's own."""
    return plan.team.weights.get(rep.id, rep.weight)


def _least_loaded(field: Field) -> list[Ranked]:
    return _by(field, lambda rep: load(rep, field.plan), "load")


def _longest_idle(field: Field) -> list[Ranked]:
    never = datetime.min.replace(tzinfo=UTC)
    return _by(field, lambda rep: (field.at - (rep.last_assigned_at or never)).total_seconds() / 60, "idle_minutes", highest=True)


def _best_value(field: Field) -> list[Ranked]:
    return _by(field, lambda rep: win_probability(rep, field.lead) * field.lead.value, "expected_value", highest=True)


def win_probability(rep: Rep, lead: LeadFacts) -> float:
    """How likely the lead is won by this rep: the learned fit, else the score's probability times how much better than their
    colleagues the rep does with the tier (`tier_skill` s against theirs is s to 1 - s)."""
    known = lead.fits.get(rep.id)
    if known is not None:
        return known
    skill = min(rep.tier_skill.get(lead.tier, 0.5), 0.99)
    return min(1.0, lead.probability * skill / (1.0 - skill))


def _weighted(field: Field) -> list[Ranked]:
    weights = field.plan.team.factors or dict.fromkeys(FACTORS, 1.0)
    total = sum(weights.values())
    place = {turn.rep: number for number, turn in enumerate(field.order)}
    ranked = []
    for turn in field.order:
        rep = field.reps[turn.rep]
        factors = {
            "tier": rep.tier_skill.get(field.lead.tier, 0.5),
            "expertise": expertise(rep, field.lead),
            "capacity": max(0.0, 1.0 - load(rep, field.plan)),
            "fairness": min(1.0, max(0.0, 0.5 + field.rotation.seats[rep.id].credit / 4)),
            "geography": geography(rep, field.lead),
            "fit": learned_fit(rep, field.lead),
        }
        score = sum(factors[name] * weights.get(name, 0.0) for name in FACTORS) / total
        ranked.append(Ranked(rep.id, {"score": round(score, 6), **{name: round(value, 6) for name, value in factors.items()}}))
    return sorted(ranked, key=lambda item: (-item.factors["score"], place[item.rep]))


def learned_fit(rep: Rep, lead: LeadFacts) -> float:
    """The learned chance c of this rep against the lead's own p, as c ÷ (c + p): 0.5 is no better than the others, and stands where
    nothing was learned."""
    chance = lead.fits.get(rep.id)
    return 0.5 if chance is None or chance + lead.probability <= 0 else chance / (chance + lead.probability)


def weighed(rep: Rep, lead: LeadFacts) -> float:
    """How well rep and lead fit by what the policy weighs without learning: tier, expertise and geography, 0-1."""
    return (rep.tier_skill.get(lead.tier, 0.5) + expertise(rep, lead) + geography(rep, lead)) / 3


def expertise(rep: Rep, lead: LeadFacts) -> float:
    """The part of the lead's known language, product and industry that the rep has; 0.5 when none is known."""
    wanted = [(skill, value) for skill in SKILLS if (value := getattr(lead, skill)) is not None]
    if not wanted:
        return 0.5
    return sum(value in getattr(rep, ATTRIBUTE[skill]) for skill, value in wanted) / len(wanted)


def geography(rep: Rep, lead: LeadFacts) -> float:
    """How closely the rep's territory fits the lead: 1 postcode, 0.8 region, 0.6 country, 0.3 no territory of their own."""
    place = rep.territory
    if place.postcodes and in_postcodes(lead.postcode, place.postcodes):
        return 1.0
    if lead.region is not None and lead.region in place.regions:
        return 0.8
    if lead.country is not None and lead.country in place.countries:
        return 0.6
    return 0.3


RANKERS: Final[Mapping[Method, Callable[[Field], list[Ranked]]]] = {
    Method.ROTATION: _rotation,
    Method.LEAST_LOADED: _least_loaded,
    Method.LONGEST_IDLE: _longest_idle,
    Method.WEIGHTED: _weighted,
    Method.BEST_VALUE: _best_value,
    Method.CLAIM_POOL: _rotation,
}


def because(field: Field, chosen: Ranked) -> str:
    """Why this rep, in plain words and without a name: 'Next in the rotation of team EMEA for tier A; speaks German'."""
    rep, team, method = field.reps[chosen.rep], field.plan.team.name, field.plan.method
    if method is Method.LEAST_LOADED:
        text = f"Lightest load in team {team} ({rep.open_leads} open leads)"
    elif method is Method.LONGEST_IDLE:
        text = f"Longest without a new lead in team {team}"
    elif method is Method.WEIGHTED:
        text = f"Best overall fit in team {team} ({chosen.factors['score']:.2f})"
    elif method is Method.BEST_VALUE:
        text = f"Highest expected value in team {team}"
    else:
        text = f"Next in the rotation of team {team}{tier_words(field.lead)}"
    if len(field.order) == 1:
        text = f"The only one free for it in team {team}"
    return "; ".join((text, *_merits(rep, field.lead)))


def tier_words(lead: LeadFacts) -> str:
    """` for tier A`, or nothing while the tier is not known."""
    return "" if lead.tier.value == "unknown" else f" for tier {lead.tier.value.upper()}"


def _merits(rep: Rep, lead: LeadFacts) -> list[str]:
    merits = []
    if lead.language is not None and lead.language in rep.languages:
        merits.append(f"speaks {NAMES.get(lead.language, lead.language)}")
    if lead.product is not None and lead.product in rep.products:
        merits.append(f"knows {lead.product}")
    if lead.industry is not None and lead.industry in rep.industries:
        merits.append(f"knows the {lead.industry} industry")
    place = rep.territory
    if lead.postcode is not None and place.postcodes and in_postcodes(lead.postcode, place.postcodes):
        merits.append(f"covers postcode {lead.postcode}")
    elif lead.region is not None and lead.region in place.regions:
        merits.append(f"covers {lead.region}")
    elif lead.country is not None and lead.country in place.countries:
        merits.append(f"covers {lead.country}")
    return merits
