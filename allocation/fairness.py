"""Who is next, and how far each rep is from what is due to them: the ledger of one line (a team and a tier).

Every lead of the line adds to each rep in the pool their share of it, and takes one whole lead from whoever got it. What is left
is the rep's *credit*: leads due (+) or had ahead of time (-). The next lead goes to the rep whose turn has begun (credit
above nought) and is due first. This is "earliest eligible virtual deadline first" (Stoica and Abdel-Wahab 1995; the windows
are those of Pfair scheduling, Baruah et al. 1996): it keeps every credit strictly within one lead for any weights, which plain
smooth weighted round robin ("most credit first") does not.

A schedule that keeps the promise exists as long as, for every number k of coming leads, those that must be had by then (each rep's
credit and their share of k leads, rounded down) are at most k. From an empty ledger that always holds. A join, a leave, a reject or
a new weight may break it: two reps who are both nearly due cannot both be next. Then, and only then, the credits are drawn together
until it holds again (`_keepable`).

The pool are the reps who could take a lead now (active, there, below their caps); the eligible ones are those in the pool
who also have the skill and territory for this lead. A lead only some can take still counts for all of the pool, so those who
take the special leads get fewer of the others.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Any, Final, NamedTuple, Self

from allocation.terms import Fairness

#: Credits are sums of floats: below this they count as nought.
EPSILON: Final = 1e-9
#: After so many leads of the line that a rep could not take, they have no share in it until one comes that they can.
RARE: Final = 200
#: So many coming leads are looked at when a change might have broken the promise.
HORIZON: Final = 5000.0
REJECT_WINDOW: Final = timedelta(days=7)


class Presence(StrEnum):
    """Where a rep with a seat is, as the line last saw it."""

    HERE = "here"
    OFF = "off"  # outside hours, on a public holiday or at a cap: the credit waits
    UNASKED = "unasked"  # here, but no lead came for long that they could take: no credit gathers
    AWAY = "away"  # paused, on leave or deactivated: the credit is made up for slowly after the return


#: By their words: two hundred seats are read for each decision, and asking the enumeration takes five times as long.
PRESENCES: Final = {presence.value: presence for presence in Presence}


class Seat(NamedTuple):
    """One rep's account in one line.

    `owed` is made up for by a boosted share. `last` is the step of their last lead, `seen` of about the last they could have taken.
    `due` and `value_due` are what was due in leads and in expected value over all time, `taken` and `value` what was got.
    `weight` is the one they were last here with; `rejects` are the moments (epoch seconds) of rejects that were credited.
    """

    credit: float = 0.0
    presence: Presence = Presence.HERE
    owed: float = 0.0
    last: int = 0
    taken: int = 0
    due: float = 0.0
    value: float = 0.0
    value_due: float = 0.0
    weight: float = 0.0
    seen: int = 0
    rejects: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Rotation:
    """The ledger of one line. The credits of the reps who are here always sum to nought."""

    key: str
    steps: int = 0
    seats: Mapping[str, Seat] = field(default_factory=dict)
    changed: bool = False  # the shares or credits were moved by something other than a lead since the promise was last looked at

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; floats survive exactly."""
        seats = {rep: list(seat) for rep, seat in self.seats.items()}
        return {"key": self.key, "steps": self.steps, "seats": seats, "changed": self.changed}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | str) -> Self:
        """Read what `to_json` wrote, as values or as text. Raises ValueError, KeyError or TypeError on anything else."""
        values = json.loads(stored) if isinstance(stored, str) else stored
        seats = {
            rep: Seat._make((credit, PRESENCES[presence], *rest, tuple(rejects)))
            for rep, (credit, presence, *rest, rejects) in values["seats"].items()
        }
        return cls(str(values["key"]), int(values["steps"]), seats, bool(values.get("changed", False)))


class Turn(NamedTuple):
    """A rep's place in the rotation for one lead. Smaller is sooner; `due` is in leads of the line per unit of share."""

    late: bool  # the turn has not begun
    due: float
    last: int
    rep: str


def attend(
    rotation: Rotation,
    pool: Mapping[str, float],
    eligible: Collection[str],
    away: Collection[str],
    leave: Collection[str],
    terms: Fairness,
) -> tuple[Rotation, dict[str, float]]:
    """Note who is here, and answer with the ledger and the weights of those who share in this lead.

    `pool` maps the reps who could take a lead to their weights, `eligible` are those who can take this one; `away` are the
    reps paused, on leave or deactivated, `leave` those of them whose absence earns a bounded catch-up. A joiner starts at par. Who
    was off comes back to the credit they left with. Who was away comes back with no credit in hand: what they left
    with and, for leave, what the line gave out meanwhile is owed, up to a limit. A rep for whom no lead came in `RARE` ones has
    no share until one does.
    """
    step = rotation.steps + 1
    seats = dict(rotation.seats)
    moved, changed = False, rotation.changed
    sharing = {}
    for rep, weight in pool.items():
        seat = seats.get(rep)
        if rep not in eligible and (seat is None or step - seat.seen > RARE):
            continue
        sharing[rep] = weight
        moved = moved or (seat is not None and seat.presence is not Presence.HERE)
        changed = changed or seat is None or seat.weight != weight
        if seat is None or seat.presence is not Presence.HERE:
            seat = _returned(seat, terms) if seat else Seat()
        seen = step if rep in eligible and step - seat.seen > RARE // 4 else seat.seen
        if seen != seat.seen or weight != seat.weight or seat is not seats.get(rep):
            seats[rep] = seat._replace(weight=weight, seen=seen)
    total = sum(sharing.values())
    for rep, seat in rotation.seats.items():
        if rep in sharing:
            continue
        moved = moved or seat.presence is Presence.HERE
        owed = seat.owed
        if rep in leave and total > 0:
            owed = min(terms.catch_up_leads, owed + seat.weight / (total + seat.weight))
        seats[rep] = seat._replace(presence=_absence(seat, rep in away, rep in pool), owed=owed)
    if moved:
        seats = _levelled(seats, sharing)
    if moved or changed:
        seats = _keepable(rotation, seats, sharing, terms)
    return Rotation(rotation.key, rotation.steps, seats), sharing


def _absence(seat: Seat, away: bool, in_pool: bool) -> Presence:
    if away or seat.presence is Presence.AWAY:
        return Presence.AWAY
    return Presence.UNASKED if in_pool or seat.presence is Presence.UNASKED else Presence.OFF


def _returned(seat: Seat, terms: Fairness) -> Seat:
    if seat.presence is Presence.OFF:
        return seat._replace(presence=Presence.HERE)
    credit, owed = min(seat.credit, 0.0), seat.owed
    if seat.presence is Presence.AWAY:
        owed = min(terms.catch_up_leads, owed + max(seat.credit, 0.0))
    return seat._replace(presence=Presence.HERE, owed=owed, credit=credit)


def _levelled(seats: dict[str, Seat], pool: Mapping[str, float]) -> dict[str, Seat]:
    """Spread what leavers took along and returners brought over the pool by weight, so that credits sum to nought again."""
    surplus = sum(seats[rep].credit for rep in pool)
    total = sum(pool.values())
    if total > 0 and abs(surplus) > EPSILON:
        for rep, weight in pool.items():
            seats[rep] = seats[rep]._replace(credit=seats[rep].credit - surplus * weight / total)
    return seats


def _keepable(rotation: Rotation, seats: dict[str, Seat], sharing: Mapping[str, float], terms: Fairness) -> dict[str, Seat]:
    """Draw the credits together, by no more than it takes, until a schedule exists that keeps everybody within one lead.

    A line whose leads differ in who can take them, so that somebody is further away already, is left as it is: nothing was
    promised there, and what is due in it stays due.
    """
    if any(abs(seat.credit) > 1.0 + EPSILON for seat in rotation.seats.values() if seat.presence is Presence.HERE):
        return seats
    parts = shares(replace(rotation, seats=seats), sharing, terms)
    flows = [(seats[rep].credit, part) for rep, part in parts.items() if part > 0.0]
    if _feasible(flows, 1.0):
        return seats
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if _feasible(flows, middle) else (low, middle)
    return seats | {rep: seats[rep]._replace(credit=seats[rep].credit * low) for rep in sharing}


def _feasible(flows: Sequence[tuple[float, float]], scale: float) -> bool:
    """Whether all leads that must be had can be had in time, when credits are scaled so; `flows` are credits and parts.

    Only leads until the last of those ahead is level again need be looked at: from then on nobody is owed more than all are given.
    """
    horizon = min(max((-credit * scale / part for credit, part in flows), default=0.0), HORIZON)
    if any(abs(credit) * scale > 1.0 + EPSILON for credit, _ in flows):
        return False
    deadlines = []
    for credit, part in flows:
        due = (1.0 - credit * scale) / part
        while due <= horizon + 1.0:
            deadlines.append(ceil(due - EPSILON))
            due += 1.0 / part
    return all(number <= deadline for number, deadline in enumerate(sorted(deadlines), 1))


def shares(rotation: Rotation, pool: Mapping[str, float], terms: Fairness) -> dict[str, float]:
    """What part of the next lead is due to each rep of the pool; sums to 1. Who is owed leads has at most `catch_up` times
    their share until it is made up for, and the others together keep at least half of theirs."""
    total = sum(pool.values())
    if total <= 0:
        return {}
    plain = {rep: weight / total for rep, weight in pool.items()}
    behind = [rep for rep in pool if rotation.seats[rep].owed > EPSILON]
    owed = sum(plain[rep] for rep in behind)
    if not 0.0 < owed < 1.0 - EPSILON:
        return plain
    boost = min(terms.catch_up, 1.0 + 0.5 * (1.0 - owed) / owed)
    rest = (1.0 - boost * owed) / (1.0 - owed)
    return {rep: share * (boost if rep in behind else rest) for rep, share in plain.items()}


def turns(rotation: Rotation, parts: Mapping[str, float], eligible: Iterable[str]) -> list[Turn]:
    """The eligible reps in the order of the rotation, the next one first. `parts` are the `shares` of those who share.

    When all who share can take the lead, turns follow each other as scheduled. When only some can, or somebody is a whole lead
    behind because of such leads, the one who is furthest behind is next.
    """
    able = [rep for rep in eligible if parts.get(rep, 0.0) > 0.0]
    whole = len(able) == len(parts)
    order = []
    for rep in able:
        credit = rotation.seats[rep].credit + parts[rep]
        missing = 1.0 - credit
        due = missing / parts[rep] if whole and missing > EPSILON else missing
        order.append(Turn(whole and credit <= EPSILON, round(due, 9), rotation.seats[rep].last, rep))
    return sorted(order)


def give(
    rotation: Rotation, parts: Mapping[str, float], rep_id: str, plain_total: Mapping[str, float], value: float = 0.0
) -> Rotation:
    """Write one lead into the ledger: `parts` due to the pool, the whole lead got by `rep_id`.

    `plain_total` is the pool with its weights, to see how much of a boosted share was catching up; `value` the lead's expected
    value. A rep outside the pool (an owner who is away) is charged alone.
    """
    total = sum(plain_total.values())
    step = rotation.steps + 1
    seats = dict(rotation.seats)
    changed = rotation.changed
    for rep, part in parts.items():
        credit, presence, owed, last, taken, due, got, value_due, weight, seen, rejects = seats[rep]
        if owed:
            owed = max(0.0, owed - max(0.0, part - plain_total[rep] / total))
            changed = changed or owed <= EPSILON  # from the next lead on the shares are the plain ones again
        due, value_due = due + part, value_due + part * value
        seats[rep] = Seat(credit + part, presence, owed, last, taken, due, got, value_due, weight, seen, rejects)
    seat = seats.get(rep_id) or Seat(presence=Presence.OFF)
    seats[rep_id] = seat._replace(credit=seat.credit - 1.0, taken=seat.taken + 1, last=step, value=seat.value + value)
    return Rotation(rotation.key, step, seats, changed)


def take_back(rotation: Rotation, rep_id: str, terms: Fairness) -> Rotation:
    """Undo one lead of a rep who did not keep it.

    As much of it as leaves everybody within one lead is undone at once; the rest is owed, up to the limit.
    """
    seat = rotation.seats.get(rep_id)
    if seat is None or seat.taken == 0:
        return rotation
    seats = dict(rotation.seats)
    here = {rep: other.weight for rep, other in seats.items() if other.presence is Presence.HERE}
    total = sum(here.values())
    now = 0.0
    if rep_id in here and total > here[rep_id] > 0:
        room = [(1.0 + seats[rep].credit) * total / weight for rep, weight in here.items() if rep != rep_id and weight > 0]
        now = max(0.0, min(1.0, (1.0 - seat.credit) / (1.0 - here[rep_id] / total), *room))
    owed = min(terms.catch_up_leads, seat.owed + 1.0 - now)
    seats[rep_id] = seat._replace(credit=seat.credit + now, owed=owed, taken=seat.taken - 1)
    return replace(rotation, seats=_levelled(seats, here) if now else seats, changed=True)


def credit_reject(rotation: Rotation, rep_id: str, at: datetime, terms: Fairness) -> Rotation:
    """Give the lead back to the account of a rep who passed it on, at most `reject_credits` times in seven days.

    A lead lost to a missed deadline is never given back: do not call this for it.
    """
    seat = rotation.seats.get(rep_id)
    if seat is None:
        return rotation
    since = (at - REJECT_WINDOW).timestamp()
    rejects = tuple(moment for moment in seat.rejects if moment > since)
    if len(rejects) >= terms.reject_credits:
        return rotation
    seats = {**rotation.seats, rep_id: seat._replace(rejects=(*rejects, at.timestamp()))}
    return take_back(replace(rotation, seats=seats), rep_id, terms)


def unfairness(rotation: Rotation) -> float:
    """The largest distance of a present rep from what is due to them, in leads."""
    return max((abs(seat.credit) for seat in rotation.seats.values() if seat.presence is Presence.HERE), default=0.0)
