"""A campaign's leads at once: one best assignment under capacities, instead of one lead after another.

Each rep stands in it with one place for every lead they may take. The places that are due to them by the ledger are the cheapest,
the one that rounds their share up costs nothing, and every further one costs more than all fit together can earn: fairness comes
first, and fit (expertise, geography, learned win probabilities) decides within it. Solved exactly by
`scipy.optimize.linear_sum_assignment` (Crouse 2016, a shortest augmenting path method).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from allocation.decide import Bench, Sitting, find_owner, judge, rotation_key, sit
from allocation.fairness import Rotation, attend, shares
from allocation.gates import room, tier_room
from allocation.methods import expertise, geography
from allocation.policy import Policy
from allocation.rep import LeadFacts, Rep
from leads.enums import Tier


@dataclass(frozen=True, slots=True)
class Task:
    """The batch as numbers. Rows are leads, columns reps; `worth` within 0-1, NaN where a rep cannot have the lead."""

    leads: Sequence[LeadFacts]
    reps: Sequence[Rep]
    worth: NDArray[np.float64]
    due: NDArray[np.float64]
    room: Sequence[int]
    tier_room: Mapping[tuple[int, Tier], int]


def plan_batch(
    leads: Sequence[LeadFacts],
    roster: Sequence[Rep],
    policy: Policy,
    rotations: Mapping[str, Rotation],
    at: datetime,
    exclude: Mapping[int, frozenset[str]] | None = None,
) -> dict[int, str | None]:
    """Which rep each lead goes to, by lead id; None where no rep can have it, or none has room.

    `rotations` are the lines named by `rotation_key`, missing ones being new; `exclude` holds by lead id the reps who had it and
    passed it on. Owners keep their leads outside the optimum. Record every lead of the optimum with `allocation.decide.place`,
    which books it in its line; those with an owner (`owner_of`) or with None are recorded by `decide`.
    """
    had = exclude or {}
    plan: dict[int, str | None] = {}
    benches: list[tuple[Sitting, Bench]] = []
    taken: Counter[tuple[str, Tier]] = Counter()
    for lead in leads:
        sitting = sit(lead, roster, policy, at, had.get(lead.lead_id, frozenset()))
        owner = find_owner(sitting, policy.plan(lead))
        if owner:
            plan[lead.lead_id] = owner[1].id
            taken[owner[1].id, lead.tier] += 1
        else:
            benches.append((sitting, judge(sitting, policy.plan(lead))))
    if benches:
        plan.update(_solve(_set_task(benches, policy, rotations, taken)))
    return plan


def owner_of(
    lead: LeadFacts, roster: Sequence[Rep], policy: Policy, at: datetime, exclude: frozenset[str] = frozenset()
) -> str | None:
    """The rep whom a lead of a batch goes to by owner precedence, outside the optimum."""
    owner = find_owner(sit(lead, roster, policy, at, exclude), policy.plan(lead))
    return owner[1].id if owner else None


def _set_task(
    benches: Sequence[tuple[Sitting, Bench]],
    policy: Policy,
    rotations: Mapping[str, Rotation],
    by_owner: Mapping[tuple[str, Tier], int],
) -> Task:
    """`by_owner` are the leads of the batch that went to their owners already, by rep and tier: they use up room, and count towards
    the share."""
    taken: Counter[str] = Counter()
    for (rep_id, _), many in by_owner.items():
        taken[rep_id] += many
    first = benches[0][0]
    reps = list(first.reps.values())
    column = {rep.id: place for place, rep in enumerate(reps)}
    worth = np.full((len(benches), len(reps)), np.nan)
    due = np.array([-float(taken[rep.id]) for rep in reps])
    rooms = [len(benches)] * len(reps)
    tiers: dict[tuple[int, Tier], int] = {}
    seen: dict[str, Rotation] = {}
    for row, (sitting, bench) in enumerate(benches):
        key = rotation_key(sitting.lead, policy)
        rotation = seen.get(key) or rotations.get(key) or Rotation(key)
        rotation, sharing = attend(rotation, bench.pool, bench.eligible, (), (), policy.fairness)
        for rep_id, part in shares(rotation, sharing, policy.fairness).items():
            due[column[rep_id]] += part
            if rep_id not in (seen[key].seats if key in seen else {}):
                due[column[rep_id]] += rotation.seats[rep_id].credit
        seen[key] = rotation
        for rep_id in bench.eligible:
            place, rep = column[rep_id], reps[column[rep_id]]
            worth[row, place] = _worth(rep, sitting.lead, bench)
            left = room(rep, bench.plan, sitting.clocks)
            if left is not None:
                rooms[place] = min(rooms[place], max(0, left - taken[rep_id]))
            within = tier_room(rep, sitting.lead.tier, bench.plan, policy, sitting.clocks)
            if within is not None:
                tiers[place, sitting.lead.tier] = max(0, within - by_owner.get((rep_id, sitting.lead.tier), 0))
    return Task([sitting.lead for sitting, _ in benches], reps, worth, due, rooms, tiers)


def _worth(rep: Rep, lead: LeadFacts, bench: Bench) -> float:
    """How well rep and lead fit, 0-1: the policy's weights over tier, expertise and geography, with the learned fit beside them."""
    weights = bench.plan.team.factors
    parts = [
        (weights.get("tier", 1.0), rep.tier_skill.get(lead.tier, 0.5)),
        (weights.get("expertise", 1.0), expertise(rep, lead)),
        (weights.get("geography", 1.0), geography(rep, lead)),
    ]
    if lead.fits:
        parts.append((1.0, lead.fits.get(rep.id, lead.probability)))
    total = sum(weight for weight, _ in parts)
    return sum(weight * value for weight, value in parts) / total if total else 0.5


def _solve(task: Task) -> dict[int, str | None]:
    """Solve with few places beyond the due ones, and with more while a lead that could be placed is not.

    Caps by tier cut across the places: what goes over one is taken from the least fitting leads, and it is solved again.
    """
    worth, extra = task.worth.copy(), 2
    while True:
        chosen = _assign(task, worth, extra)
        cut = _over_tier_caps(task, worth, chosen)
        for row, place in cut:
            worth[row, place] = np.nan
        if cut:
            continue
        if extra >= len(task.leads) or not _could_place_more(task, worth, chosen):
            return {
                lead.lead_id: None if place is None else task.reps[place].id for lead, place in zip(task.leads, chosen, strict=True)
            }
        extra *= 4


def _assign(task: Task, worth: NDArray[np.float64], extra: int) -> list[int | None]:
    """One optimum: the column of every row, None where it stays empty."""
    rows = len(task.leads)
    step = float(rows + 1)  # more than all fit together can earn
    never = step * (rows + extra + 2) * 4
    owners, costs = [], []
    for place, (due, left) in enumerate(zip(task.due, task.room, strict=True)):
        whole, up = max(0, math.floor(due + 1e-9)), max(0, math.ceil(due - 1e-9))
        for number in range(1, min(left, up + extra) + 1):
            owners.append(place)
            costs.append(-step if number <= whole else step * max(0, number - up))
    able = worth[:, owners] if owners else np.empty((rows, 0))
    cost = np.where(np.isnan(able), never * 2, np.array(costs)[None, :] - np.nan_to_num(able))
    cost = np.hstack([cost, np.full((rows, rows), never)])  # one empty place a lead
    chosen: list[int | None] = [None] * rows
    for row, place in zip(*linear_sum_assignment(cost), strict=True):
        if place < len(owners):
            chosen[row] = owners[place]
    return chosen


def _over_tier_caps(task: Task, worth: NDArray[np.float64], chosen: Sequence[int | None]) -> list[tuple[int, int]]:
    held: defaultdict[tuple[int, Tier], list[int]] = defaultdict(list)
    for row, place in enumerate(chosen):
        if place is not None:
            held[place, task.leads[row].tier].append(row)
    over = []
    for (place, tier), rows in held.items():
        limit = task.tier_room.get((place, tier), len(rows))
        rows.sort(key=lambda row: (-worth[row, place], row))
        over += [(row, place) for row in rows[limit:]]
    return over


def _could_place_more(task: Task, worth: NDArray[np.float64], chosen: Sequence[int | None]) -> bool:
    used = Counter(place for place in chosen if place is not None)
    free = [place for place, left in enumerate(task.room) if used[place] < left]
    return any(place is None and not np.isnan(worth[row, free]).all() for row, place in enumerate(chosen))
