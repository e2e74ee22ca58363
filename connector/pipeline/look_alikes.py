"""Keeps the past leads that new ones are compared with: each as it stood at a few moments, with what it did from then on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import structlog

from connector.bootstrap import House
from leads.enums import EngagementKind, Outcome
from leads.past import PastLook
from leads.records import FieldValue, LeadHistory
from scoring.features import build_many
from scoring.landmarks import look_moments
from scoring.timeline import AWAY, OUTCOME, TOWARDS

log = structlog.get_logger(__name__)

#: Leads that are kept, those that ended last, and looks of each. More would slow the search and tell of an older market.
LEADS = 3_000
LOOKS = 3
ACTS_AFTER = 30


def refresh(house: House) -> int:
    """Bring the kept looks up to date with the leads that ended; returns how many leads were read anew."""
    ended = sorted(house.histories.outcomes(), key=lambda one: one[3])[-LEADS:]
    known = house.past_looks.known()
    house.past_looks.drop(list(known.keys() - {one[0] for one in ended}))
    read = 0
    for lead_id, created, outcome, at in ended:
        if known.get(lead_id) == (outcome.value, at):
            continue
        moments = _spread(look_moments(created, at))
        histories = house.histories.at_each(lead_id, (*moments, at))
        if histories:
            house.past_looks.replace(lead_id, list(_looks(histories, outcome, at)))
            read += 1
    log.info("look-alikes refreshed", leads=len(ended), read=read)
    return read


def _spread(moments: tuple[datetime, ...]) -> tuple[datetime, ...]:
    """The first, the last and the one between."""
    places = sorted({0, len(moments) // 2, len(moments) - 1})[:LOOKS]
    return tuple(moments[place] for place in places)


def _looks(histories: list[LeadHistory], outcome: Outcome, ended: datetime) -> Iterator[PastLook]:
    """`histories` at each look and, last, at the end."""
    *looks, last = histories
    acts = [(act.kind, act.occurred_at) for act in last.engagements if _is_answer(act.kind) and not act.machine]
    for history, row in zip(looks, build_many(looks), strict=True):
        after = tuple(act for act in acts if act[1] > history.as_of)[:ACTS_AFTER]
        features = {name: _cut(value) for name, value in row.items()}
        yield PastLook(history.lead_id, history.as_of, outcome, ended, features, after)


def _is_answer(kind: EngagementKind) -> bool:
    return kind not in TOWARDS and kind not in AWAY and kind not in OUTCOME


def _cut(value: FieldValue) -> FieldValue:
    """Floats to six digits, which no distance notices."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
