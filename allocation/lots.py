"""On whom a lot may fall: exploring must not break what the rotation promises.

A lead given by lot moves credits like any other. While everybody is within one lead of what is due to them they must stay so, now
and for all leads to come. Say N(k) leads must be had within the next k (the deadlines of `allocation.fairness`). A schedule is
left as long as N(k) <= k; where N(k) = k, the next lead must be one of those N(k). So the lot may fall on a rep whose turn has
begun and whose own next deadline is not after the first such k.

Where leads differ in who can take them nothing so strict is promised: there the lot may fall on whoever is at most one lead further
ahead than the rotation's pick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, inf

from allocation.fairness import EPSILON, HORIZON, Rotation


def may_fall_on(rotation: Rotation, parts: Mapping[str, float], eligible: Sequence[str]) -> list[str]:
    """Those of the eligible on whom a lot may fall; the first of them is the rotation's pick.

    `eligible` are in the order of the rotation, `rotation` is the ledger before the lead, `parts` the `shares` of those who share.
    """
    due = {rep: rotation.seats[rep].credit + part for rep, part in parts.items()}
    first = eligible[0]
    after = due | {first: due[first] - 1.0}
    if len(eligible) < len(parts) or any(abs(credit) > 1.0 + EPSILON for credit in after.values()):
        return [rep for rep in eligible if due[rep] >= due[first] - 1.0 - EPSILON]
    full = _full(rotation, parts)
    begun = [rep for rep in eligible[1:] if due[rep] > EPSILON]
    return [first, *(rep for rep in begun if _deadline(rotation.seats[rep].credit, parts[rep]) <= full)]


def _deadline(credit: float, part: float) -> int:
    """Within how many leads of the line a rep must have their next one."""
    return ceil((1.0 - credit) / part - EPSILON)


def _full(rotation: Rotation, parts: Mapping[str, float]) -> float:
    """The least number k of coming leads of which none is free: k of them must be had within k. Infinite when there is none.

    From where everybody's credit is level again a whole round of leads is due at most, which excludes nobody whose turn has begun.
    """
    flows = [(rotation.seats[rep].credit, part) for rep, part in parts.items()]
    horizon = min(max(-credit / part for credit, part in flows), HORIZON) + 1.0
    due_at: Counter[int] = Counter()
    for credit, part in flows:
        at = (1.0 - credit) / part
        while at <= horizon:
            due_at[ceil(at - EPSILON)] += 1
            at += 1.0 / part
    number = 0
    for deadline in sorted(due_at):
        number += due_at[deadline]
        if number >= deadline:
            return deadline
    return inf
