"""What keen and less keen people do after they have become a contact."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from connector.sandbox.world.people import Person

#: Act → (mean number for an average person, how strongly interest raises it, its weight towards buying).
ACTS = {
    "open": (2.6, 0.45, 0.10),
    "click": (0.8, 0.75, 0.28),
    "visit": (1.6, 0.6, 0.12),
    "form": (0.35, 0.8, 0.55),
    "reply": (0.16, 0.95, 0.9),
    "meeting": (0.07, 1.1, 1.3),
    "bounce": (0.04, -0.2, -1.4),
    "unsubscribe": (0.05, -0.6, -1.6),
}


@dataclass(frozen=True, order=True)
class Act:
    """One act, `after` days from the moment the contact was made."""

    after: float
    kind: str


def draw_count(rng: Random, mean: float) -> int:
    """A Poisson draw (Knuth); `mean` is small here."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def draw_acts(rng: Random, person: Person, most: int = 40) -> tuple[Act, ...]:
    """What this person did, in order of time. More than half falls into the first two days. At most `most` acts of a kind."""
    acts: list[Act] = []
    for kind, (mean, pull, _) in ACTS.items():
        if kind in ("open", "click", "reply", "bounce", "unsubscribe") and person.email is None:
            continue
        times = min(most, draw_count(rng, mean * math.exp(pull * person.interest)))
        if kind in ("bounce", "unsubscribe", "meeting"):
            times = min(times, 1)
        for _ in range(times):
            after = rng.expovariate(1 / 0.5) if rng.random() < 0.6 else rng.expovariate(1 / 7)
            acts.append(Act(min(after, 27.0), kind))
    return tuple(sorted(acts))


def weigh(acts: tuple[Act, ...]) -> float:
    """The pull of these acts towards buying; repeats of a kind count for less and less."""
    counts: dict[str, int] = {}
    for act in acts:
        counts[act.kind] = counts.get(act.kind, 0) + 1
    return sum(ACTS[kind][2] * math.sqrt(count) for kind, count in counts.items() if kind in ACTS)
