"""Past leads through another policy: who would have got what, before it goes live.

Every stored decision is made again in its order, with the roster as it was, but with the load, the ledger and the waiting list
as they would have become. Under the policy that made them all, every owner comes out as it was.

What cannot be known is assumed and said here: a lead takes as long to close whoever has it; somebody passes a lead on only if
they had it under this policy too.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from allocation.decide import KEPT, PERSON, pass_back, rotation_key
from allocation.fairness import Rotation, take_back, unfairness
from allocation.policy import Policy, read_policy
from allocation.rep import LeadFacts, Rep, Taken
from allocation.replay import Inputs, read_record
from leads.enums import Tier

RECENT: Final = timedelta(days=7)
#: Facts that gates ask about: of two waiting leads equal in these, the second need not be tried when the first had no luck.
ASKED: Final = ("tier", "country", "region", "postcode", "industry", "language", "product", "account_owner", "existing_owner")


@dataclass(frozen=True, slots=True)
class Past:
    """One stored decision: its record, and when its lead was won, lost or otherwise closed (None: open still). `credited`: whoever
    laid the lead down before it passed it on; else they had let its deadline pass."""

    record: Mapping[str, Any]
    closed_at: datetime | None = None
    credited: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """One lead in the simulation. `was` and `now` are the reps who had it last, None while it waits; `at` is when it was first
    decided about; `waited` and `waited_was` are the minutes from then until somebody had it."""

    lead_id: int
    at: datetime
    tier: Tier
    was: str | None
    now: str | None
    because: str
    waited: float = 0.0
    waited_was: float = 0.0


@dataclass(slots=True)
class Share:
    """What one rep got and would have got: leads, leads by tier, their expected conversions (the sum of the probabilities) and
    their expected value (probability × value)."""

    was: int = 0
    now: int = 0
    tiers_was: Counter[Tier] = field(default_factory=Counter)
    tiers_now: Counter[Tier] = field(default_factory=Counter)
    conversions_was: float = 0.0
    conversions_now: float = 0.0
    expected_was: float = 0.0
    expected_now: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """The result. `unfairness_*` is the largest distance from what was due, in leads, over all lines at the end."""

    policy_version: str
    placed: Sequence[Placed]
    shares: Mapping[str, Share]
    unfairness_was: float
    unfairness_now: float

    @property
    def moved(self) -> list[Placed]:
        """The leads that would have gone to somebody else, or to nobody."""
        return [lead for lead in self.placed if lead.was != lead.now]

    @property
    def waiting_was(self) -> int:
        """Leads that nobody had got by the end."""
        return sum(lead.was is None for lead in self.placed)

    @property
    def waiting_now(self) -> int:
        """Leads that nobody would have got by the end."""
        return sum(lead.now is None for lead in self.placed)


@dataclass
class _Run:
    """The state while it runs. Until something differs from the past (`parted`), the past's own ledger and roster are used."""

    policy: Policy
    parted: bool = False
    ledgers: dict[str, Rotation] = field(default_factory=dict)
    newest_was: dict[str, Inputs] = field(default_factory=dict)
    placed: dict[int, Placed] = field(default_factory=dict)
    booked: dict[int, str] = field(default_factory=dict)  # the line in which each lead is on its rep's account
    facts: dict[int, LeadFacts] = field(default_factory=dict)
    waiting: dict[int, Inputs] = field(default_factory=dict)
    surplus: Counter[str] = field(default_factory=Counter)  # open leads a rep has more than they had
    recent: defaultdict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    closing: list[tuple[datetime, int]] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    closed_at: dict[int, datetime | None] = field(default_factory=dict)
    first_seen: dict[int, datetime] = field(default_factory=dict)
    had_was: dict[int, datetime] = field(default_factory=dict)
    had_now: dict[int, datetime] = field(default_factory=dict)
    before: Mapping[str, Sequence[Taken]] = field(default_factory=dict)

    def finished(self) -> tuple[Placed, ...]:
        """Every lead where it ended up, with how long it waited (0 when nobody ever had it)."""
        return tuple(
            replace(
                placed,
                at=first,
                waited=_minutes(first, self.had_now.get(lead_id)),
                waited_was=_minutes(first, self.had_was.get(lead_id)),
            )
            for lead_id, placed in self.placed.items()
            for first in (self.first_seen[lead_id],)
        )

    def roster(self, inputs: Inputs) -> Sequence[Rep]:
        """The reps as they were at that moment, with the load they would have had."""
        if not self.parted:
            return inputs.roster
        return [self._loaded(rep, inputs.at) for rep in inputs.roster]

    def _loaded(self, rep: Rep, at: datetime) -> Rep:
        mine = self.recent[rep.id]
        before = self.before.get(rep.id, ())
        late = [taken for taken in mine if taken.at > at - RECENT]
        last = mine[-1].at if mine else rep.last_assigned_at
        return replace(
            rep, open_leads=max(0, rep.open_leads + self.surplus[rep.id]), recent=(*before, *late), last_assigned_at=last
        )

    def step(self, inputs: Inputs, closed_at: datetime | None, credited: bool = True) -> None:
        """Make one past decision again."""
        lead_id = inputs.lead.lead_id
        self.first_seen.setdefault(lead_id, inputs.at)
        if inputs.rep is not None:
            self.had_was.setdefault(lead_id, inputs.at)
        self.parted = self.parted or inputs.policy_version != self.policy.version
        self.facts[lead_id] = inputs.lead
        self.closed_at[lead_id] = closed_at
        self._close(inputs.at)
        if lead_id in self.placed and inputs.exclude:  # whoever passed it on had laid it down by then
            self._put(replace(self.placed[lead_id], was=None))
        self.newest_was[inputs.rotation.key] = inputs
        if self.parted and inputs.method not in (PERSON, KEPT) and not inputs.exclude:
            self._drain(inputs)
        before = self.placed.get(lead_id)
        if before is not None and before.now is not None:
            if not self._lost(inputs, before.now, credited):
                self._put(replace(before, was=inputs.rep))
                return
            if before.now in inputs.exclude:  # laid down here too: it weighs on nobody while it is decided
                self._put(replace(self.placed[lead_id], now=None))
        self._decide(inputs, inputs)

    def _lost(self, inputs: Inputs, owner: str, credited: bool) -> bool:
        """Whether the lead leaves the rep who has it in the simulation: they passed it on or lost it, or a person moved it."""
        moved_by_person = inputs.method in (PERSON, KEPT)
        if self.parted and not moved_by_person and owner not in inputs.exclude:
            return False
        if moved_by_person:
            self._credit(inputs, lambda line: take_back(line, owner, self.policy.fairness))
        elif credited:
            self._credit(inputs, lambda line: pass_back(line, owner, self.policy, inputs.at))
        return True

    def _credit(self, inputs: Inputs, undo: Callable[[Rotation], Rotation]) -> None:
        """Take a lead off the account it was booked on, in the line where it was booked: its tier may be another by now."""
        key = rotation_key(inputs.lead, self.policy)
        line = self.booked.get(inputs.lead.lead_id, key)
        if line != key:
            self.ledgers[line] = undo(self.ledgers[line])
        elif self.parted:  # until then the record's own ledger has it back already
            self.ledgers[line] = undo(self._ledger(line, inputs))

    def _ledger(self, key: str, inputs: Inputs) -> Rotation:
        if not self.parted:
            return inputs.rotation
        if key not in self.ledgers:
            self.ledgers[key] = inputs.rotation if inputs.rotation.key == key else Rotation(key)
        return self.ledgers[key]

    def _decide(self, wanted: Inputs, moment: Inputs) -> bool:
        """Decide a lead with the roster of a moment; whether somebody got it."""
        key = rotation_key(wanted.lead, self.policy)
        waited = (moment.at - wanted.at).total_seconds() / 60
        lead = replace(wanted.lead, waiting_minutes=wanted.lead.waiting_minutes + waited)
        asked = replace(wanted, lead=lead) if waited else wanted
        decision, self.ledgers[key] = asked.again(self.policy, self._ledger(key, moment), self.roster(moment), moment.at)
        before = self.placed.get(lead.lead_id)
        was = wanted.rep if moment is wanted or before is None else before.was
        self._put(Placed(lead.lead_id, wanted.at, lead.tier, was, decision.rep_id, decision.because), moment.at)
        if decision.rep_id is not None:
            self.had_now.setdefault(lead.lead_id, moment.at)
            self.booked[lead.lead_id] = key
        self.parted = self.parted or decision.rep_id != was
        if decision.rep_id is None:
            self.waiting[lead.lead_id] = wanted
        else:
            self.waiting.pop(lead.lead_id, None)
        return decision.rep_id is not None

    def _drain(self, moment: Inputs) -> None:
        """Try the waiting list before this lead: hot tier first, oldest first. If the lead waits itself, only those before it."""
        hopeless = set()
        for lead_id, wanted in sorted(self.waiting.items(), key=self._heat):
            if lead_id == moment.lead.lead_id:
                return
            signature = tuple(getattr(wanted.lead, name) for name in ASKED)
            if signature not in hopeless and not self._decide(wanted, moment):
                hopeless.add(signature)

    def _heat(self, waiting: tuple[int, Inputs]) -> tuple[str, datetime, int]:
        lead_id, wanted = waiting
        return wanted.lead.tier.value, self.first_seen[lead_id], lead_id

    def _put(self, placed: Placed, given_at: datetime | None = None) -> None:
        """Note where a lead is, and move its load there from where it was. `given_at` is None when nobody got anything new."""
        lead_id = placed.lead_id
        old = self.placed.get(lead_id)
        self.placed[lead_id] = placed
        if given_at is not None and placed.now is not None:
            self.recent[placed.now].append(Taken(given_at, placed.tier))
        if lead_id in self.closed:
            return
        self._weigh(placed, 1)
        ends = self.closed_at[lead_id]
        if old is not None:
            self._weigh(old, -1)
        elif ends is not None:
            heapq.heappush(self.closing, (ends, lead_id))

    def _weigh(self, placed: Placed, sign: int) -> None:
        for rep, change in ((placed.now, sign), (placed.was, -sign)):
            if rep is not None:
                self.surplus[rep] += change

    def _close(self, at: datetime) -> None:
        """Leads that were closed by now weigh on nobody and wait for nobody."""
        while self.closing and self.closing[0][0] <= at:
            lead_id = heapq.heappop(self.closing)[1]
            self._weigh(self.placed[lead_id], -1)
            self.closed.add(lead_id)
            self.waiting.pop(lead_id, None)


def _ledger_after(inputs: Inputs) -> Rotation:
    """The ledger that a past decision left, by the policy that made it."""
    policy = read_policy(inputs.policy_tables, "the recorded policy")
    return inputs.again(policy, inputs.rotation, inputs.roster, inputs.at)[1]


def _minutes(first: datetime, had: datetime | None) -> float:
    return 0.0 if had is None else (had - first).total_seconds() / 60


def simulate(past: Iterable[Past], policy: Policy, before: Mapping[str, Sequence[Taken]] | None = None) -> Simulation:
    """Run stored decisions, in order of time, through `policy`. `before` are the leads each rep was given in the week before the
    first of them, for the caps. Raises ValueError for a record that cannot be read."""
    run = _Run(policy, before=before or {})
    for decision in past:
        run.step(read_record(decision.record), decision.closed_at, decision.credited)
    shares: defaultdict[str, Share] = defaultdict(Share)
    for placed in run.placed.values():
        lead = run.facts[placed.lead_id]
        if placed.was is not None:
            share, chance = shares[placed.was], lead.fits.get(placed.was, lead.probability)
            share.was, share.conversions_was = share.was + 1, share.conversions_was + chance
            share.expected_was += chance * lead.value
            share.tiers_was[placed.tier] += 1
        if placed.now is not None:
            share, chance = shares[placed.now], lead.fits.get(placed.now, lead.probability)
            share.now, share.conversions_now = share.now + 1, share.conversions_now + chance
            share.expected_now += chance * lead.value
            share.tiers_now[placed.tier] += 1
    return Simulation(
        policy.version,
        run.finished(),
        dict(shares),
        max((unfairness(_ledger_after(newest)) for newest in run.newest_was.values()), default=0.0),
        max(map(unfairness, run.ledgers.values()), default=0.0),
    )
