"""Drains the waiting list the moment capacity returns: the hot tier first, then the oldest.

Capacity can return in many ways: a lead is closed, a cap raised, a rep set active, a working day or a new hour begins, another
policy is published. So nobody has to tell us: once a second, while leads wait, it is compared who could take how much now with a
second ago. Where nothing of that changed, a lead is tried again with a growing pause. A fresh lead that comes in that second does
not overtake those that wait: they are tried before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import structlog

from allocation.gates import Clocks, presence, room, tier_room
from allocation.rep import Rep
from connector.bootstrap import House
from connector.errors import LeadswitchError
from connector.pipeline.allocate import allocate, facts_of
from connector.pipeline.roster import build_roster
from leads.enums import Tier
from leads.results import Decision

log = structlog.get_logger(__name__)

#: Leads tried in one turn, so that the deadlines beside it are not held up.
A_TURN: Final = 25
#: So many of the first on the list are tried again when room returns in the middle of a pass: it may be for them.
HEAD: Final = 10
LIST: Final = 5_000


@dataclass(frozen=True, slots=True)
class Opening:
    """What one rep could take of one team's leads now: how many, and of which tier. `terms` is all about them but their load."""

    room: float
    by_tier: tuple[float, ...]
    terms: Rep


def openings(house: House) -> dict[tuple[str, str], Opening]:
    """(team, rep) → what they could take now; only those who could take something."""
    policy, at = house.policy, house.clock.now()
    clocks = Clocks(at, policy.calendar.zone)
    roster = [policy.settled(rep) for rep in build_roster(house, at)]
    found = {}
    for name, team in policy.teams.items():
        plan = policy.team_plan(name)
        for rep in policy.members(team, roster):
            left = _number(room(rep, plan, clocks))
            if left > 0 and presence(rep, plan, clocks) is None:
                tiers = tuple(_number(tier_room(rep, tier, plan, policy, clocks)) for tier in Tier)
                found[name, rep.id] = Opening(left, tiers, _terms(rep))
    return found


def _number(limit: int | None) -> float:
    return inf if limit is None else limit


def _terms(rep: Rep) -> Rep:
    return replace(rep, open_leads=0, open_by_tier={}, recent=(), last_assigned_at=None, tier_skill={}, pto=(), paused_until=None)


def has_opened(before: Mapping[tuple[str, str], Opening], now: Mapping[tuple[str, str], Opening]) -> bool:
    """Whether somebody could take more, or other, leads than before."""
    for key, opening in now.items():
        known = before.get(key)
        if known is None or opening.room > known.room or opening.terms != known.terms:
            return True
        if any(after > was for after, was in zip(opening.by_tier, known.by_tier, strict=True)):
            return True
    return False


class Drain:
    """One turn a call; remembers who could take what at the last one, and how far it came."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._known: Mapping[tuple[str, str], Opening] = {}
        self._version = ""
        self._queue: list[int] = []
        self._again = False

    def turn(self) -> int:
        """Try what there is reason to try; returns how many leads got somebody."""
        house = self._house
        if not house.waiting.count():
            self._known, self._version, self._queue, self._again = {}, "", [], False
            return 0
        now, version = openings(house), house.policy.version
        another = version != self._version
        woken = another or has_opened(self._known, now)
        self._known, self._version = now, version
        if woken:
            self._wake(claimable=another)
        elif not now:  # nobody has room: only what can help itself, such as a skill that is relaxed
            self._queue, self._again = [], False
        elif not self._queue and self._again:
            self._again = False
            self._wake(claimable=False)
        return self._work_off(self._next())

    def _wake(self, *, claimable: bool) -> None:
        """Begin a pass over the list; in the middle of one, begin with the first on the list and then go on where it was. Leads of
        a claim pool have a pass only when the policy is another one."""
        order = [held.lead_id for held in self._house.waiting.all(LIST) if claimable or not held.pool]
        self._again = bool(self._queue)
        if self._queue:
            head = order[:HEAD]
            order = head + [lead_id for lead_id in self._queue if lead_id not in head]
        self._queue = order

    def _next(self) -> list[int]:
        """The leads of this turn, with those whose own next try has come where there is place for them."""
        chosen, self._queue = self._queue[:A_TURN], self._queue[A_TURN:]
        due = self._house.waiting.due(A_TURN) if len(chosen) < A_TURN else []
        return (chosen + [lead_id for lead_id in due if lead_id not in chosen])[:A_TURN]

    def _work_off(self, lead_ids: list[int]) -> int:
        given = sum(_try(self._house, lead_id) for lead_id in lead_ids)
        if given:
            log.info("waiting list drained", given=given, waiting=self._house.waiting.count())
        return given


def _try(house: House, lead_id: int) -> bool:
    """Whether the lead got somebody."""
    try:
        decision = allocate(house, lead_id)
    except LeadswitchError as error:
        log.warning("waiting lead not tried", lead_id=lead_id, error=str(error))
        return False
    except Exception:  # one lead that breaks must not keep the others waiting
        log.exception("waiting lead broke", lead_id=lead_id)
        with house.db.transaction():
            house.waiting.put_off(lead_id)
        return False
    return decision is not None and decision.rep_id is not None


def allocate_in_turn(house: House, lead_id: int) -> Decision | None:
    """Stage 3, `lead.allocate`, for a lead that may be fresh: first those of its team that wait, are as hot and older, until one of
    them finds nobody."""
    if house.waiting.any():
        for ahead in _ahead(house, lead_id):
            if not _try(house, ahead):
                break
    return allocate(house, lead_id)


def _ahead(house: House, lead_id: int) -> list[int]:
    """Who is to be tried before this lead; nobody when it waits itself, or somebody holds it."""
    lead, stored = house.leads.get(lead_id), house.scores.newest(lead_id)
    if lead is None or stored is None or house.waiting.get(lead.id) or house.decisions.open_assignment(lead.id):
        return []
    facts = facts_of(house, lead, stored, house.clock.now())
    return house.waiting.ahead(house.policy.plan(facts).team.name, facts.tier, HEAD)
