"""What another policy would be worth, and whether a learned fit of reps and leads is worth using, from leads that ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allocation.decide import rotation_key
from allocation.fairness import Rotation
from allocation.lift import Drawn, Lift, estimate_lift
from allocation.methods import weighed
from allocation.policy import Policy
from allocation.rep_fit import Comparison, Ended, compare, learn
from allocation.replay import Inputs, read_record
from connector.bootstrap import House
from connector.errors import Fatal
from connector.storage.lessons import Lessons, Taught
from leads.enums import DecisionOutcome, Outcome, VerdictKind

#: The learned expectations of a lead come from the other folds.
FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class Drawing:
    """An ended lead at its first drawn decision: what it was made from, and the logged chance of every eligible rep, 0 for one on
    whom the lot could not fall."""

    inputs: Inputs
    chances: Mapping[str, float]
    won: bool


def lift_of(house: House, policy: Policy, since: datetime, confidence: float = 0.95) -> Lift:
    """The lift of `policy` in the share of leads won, over the leads whose rep by `policy` was eligible then.

    Raises `Fatal` while no such lead has ended.
    """
    drawings = _drawings(house.lessons, since)
    choices = [_choice(drawing.inputs, policy) for drawing in drawings]
    pairs = zip(drawings, choices, strict=True)
    kept = [(drawing, choice) for drawing, choice in pairs if choice is not None and choice in drawing.chances]
    fits = _expectations([drawing for drawing, _ in kept])
    drawn = [
        Drawn(str(one.inputs.rep), one.chances[str(one.inputs.rep)], float(one.won), choice, expected, one.chances[choice])
        for (one, choice), expected in zip(kept, fits, strict=True)
    ]
    try:
        return estimate_lift(drawn, confidence)
    except ValueError as error:
        raise Fatal(f"The lift cannot be told yet: {error}.") from error


def learn_fit(house: House, since: datetime) -> Comparison:
    """Learn which rep does well with which leads, and use it from now on if it beats the weights on held-out outcomes; if not, use
    none. Raises `Fatal` when too few leads have ended."""
    ended = _ended(house.lessons, since)
    try:
        found = compare(ended)
        house.rep_fits.use(learn(ended) if found.better else None)
    except ValueError as error:
        raise Fatal(f"Nothing was learned: {error}.") from error
    return found


def _drawings(lessons: Lessons, since: datetime) -> list[Drawing]:
    found: dict[int, Drawing] = {}
    for taught in lessons.since(since):
        chances = _chances(taught)
        if (
            chances.get(taught.decision.rep_id or "")
            and taught.outcome is not Outcome.OPEN
            and taught.decision.lead_id not in found
        ):
            won = taught.outcome is Outcome.WON
            found[taught.decision.lead_id] = Drawing(read_record(taught.decision.record), chances, won)
    return list(found.values())


def _chances(taught: Taught) -> dict[str, float]:
    """By eligible rep, the chance with which the engine drew them; empty when nothing was left to chance."""
    if taught.decision.outcome is not DecisionOutcome.ASSIGNED:
        return {}
    eligible = [one for one in taught.decision.record.get("verdicts", ()) if one["kind"] != VerdictKind.GATED.value]
    chances = {one["rep"]: float(one["factors"].get("propensity", 0.0)) for one in eligible}
    return chances if any(chances.values()) else {}


def _choice(inputs: Inputs, policy: Policy) -> str | None:
    """Whom the policy would have picked there and then, without a draw; None when it would have let the lead wait."""
    key = rotation_key(inputs.lead, policy)
    rotation = inputs.rotation if inputs.rotation.key == key else Rotation(key)
    decision, _ = inputs.undrawn().again(policy, rotation, inputs.roster, inputs.at)
    return decision.rep_id


def _expectations(drawings: Sequence[Drawing]) -> list[dict[str, float]]:
    """For each lead, what a fit to the other folds expects of every rep on its roster; nothing where too few have ended."""
    found: list[dict[str, float]] = [{} for _ in drawings]
    for fold in range(FOLDS):
        others = [one for number, one in enumerate(drawings) if number % FOLDS != fold]
        try:
            fit = learn([Ended(one.inputs.lead, str(one.inputs.rep), one.won, 0.0) for one in others])
        except ValueError:  # all ended alike: what is left is the share won
            fit = None
        share = sum(one.won for one in others) / len(others) if others else 0.0
        for number in range(fold, len(drawings), FOLDS):
            inputs = drawings[number].inputs
            found[number] = {rep.id: fit.chance(rep.id, inputs.lead) if fit else share for rep in inputs.roster}
    return found


def _ended(lessons: Lessons, since: datetime) -> list[Ended]:
    """Leads that ended, oldest first, each with the rep whom the newest decision gave it to."""
    found: dict[int, Taught] = {}
    for taught in lessons.since(since):
        if taught.decision.rep_id is not None and taught.outcome is not Outcome.OPEN:
            found[taught.decision.lead_id] = taught
    ended = []
    for taught in found.values():
        inputs = read_record(taught.decision.record)
        rep = next((rep for rep in inputs.roster if rep.id == taught.decision.rep_id), None)
        if rep is not None:
            ended.append(Ended(inputs.lead, rep.id, taught.outcome is Outcome.WON, weighed(rep, inputs.lead)))
    return ended
