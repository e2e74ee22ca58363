"""Past leads through another policy: who would have got what, before it goes live.

Every stored decision is made again in its order, with the roster as it was, but with the load, the ledger and the waiting list
as they would have become. Under the policy that made them all, every owner comes out as it was.

What cannot be known is assumed and said here: a lead takes as long to close whoever has it; somebody passes a lead on only if
they had it under this policy too; caps per hour, day and week count from the first simulated lead on.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from allocation.decide import KEPT, PERSON, pass_back, rotation_key
from allocation.fairness import Rotation, take_back, unfairness
from allocation.policy import Policy
from allocation.rep import LeadFacts, Rep, Taken
from allocation.replay import Inputs, read_record
from leads.enums import Tier

RECENT: Final = timedelta(days=7)
#: Facts that gates ask about: of two waiting leads equal in these, the second need not be tried when the first had no luck.
ASKED: Final = ("tier", "country", "region", "postcode", "industry", "language", "product", "account_owner", "existing_owner")


@dataclass(frozen=True, slots=True)
class Past:
    """One stored decision: its record, and when its lead was won, lost or otherwise closed (None: open still)."""

    record: Mapping[str, Any]
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """One lead in the simulation. `was` and `now` are the reps who had it last; `waited` is in minutes; `now` None still waits."""

    lead_id: int
    at: datetime
    tier: Tier
    was: str | None
    now: str | None
    because: str
    waited: float = 0.0


@dataclass(slots=True)
class Share:
    """What one rep got and would have got: leads, leads by tier, and the expected value of them (probability × value)."""

    was: int = 0
    now: int = 0
    tiers_was: Counter[Tier] = field(default_factory=Counter)
    tiers_now: Counter[Tier] = field(default_factory=Counter)
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
    ledgers_was: dict[str, Rotation] = field(default_factory=dict)
    placed: dict[int, Placed] = field(default_factory=dict)
    facts: dict[int, LeadFacts] = field(default_factory=dict)
    waiting: dict[int, Inputs] = field(default_factory=dict)
    surplus: Counter[str] = field(default_factory=Counter)  # open leads a rep has more than they had
    recent: defaultdict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    closing: list[tuple[datetime, int]] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    closed_at: dict[int, datetime | None] = field(default_factory=dict)
    start: datetime | None = None

    def roster(self, inputs: Inputs) -> Sequence[Rep]:
        """The reps as they were at that moment, with the load they would have had."""
        if not self.parted:
            return inputs.roster
        return [self._loaded(rep, inputs.at) for rep in inputs.roster]

    def _loaded(self, rep: Rep, at: datetime) -> Rep:
        mine = self.recent[rep.id]
        before = [taken for taken in rep.recent if self.start is None or taken.at < self.start]
        late = [taken for taken in mine if taken.at > at - RECENT]
        last = mine[-1].at if mine else rep.last_assigned_at
        return replace(
            rep, open_leads=max(0, rep.open_leads + self.surplus[rep.id]), recent=(*before, *late), last_assigned_at=last
        )

    def step(self, inputs: Inputs, closed_at: datetime | None) -> None:
        """Make one past decision again."""
        lead_id = inputs.lead.lead_id
        self.start = self.start or inputs.at
        self.parted = self.parted or inputs.policy_version != self.policy.version
        self.facts[lead_id] = inputs.lead
        self.closed_at[lead_id] = closed_at
        self._close(inputs.at)
        if lead_id in self.placed and inputs.exclude:  # whoever passed it on had laid it down by then
            self._put(replace(self.placed[lead_id], was=None))
        self.ledgers_was[inputs.rotation.key] = inputs.rotation
        if self.parted:
            self._drain(inputs)
        before = self.placed.get(lead_id)
        if before is not None and before.now is not None and not self._lost(inputs, before.now):
            self._put(replace(before, was=inputs.rep))
            return
        self._decide(inputs, inputs)

    def _lost(self, inputs: Inputs, owner: str) -> bool:
        """Whether the lead leaves the rep who has it in the simulation: they passed it on, or a person moved it."""
        if not self.parted:
            return True
        key = rotation_key(inputs.lead, self.policy)
        if inputs.method in (PERSON, KEPT):
            self.ledgers[key] = take_back(self._ledger(key, inputs), owner, self.policy.fairness)
            return True
        if owner not in inputs.exclude:
            return False
        self.ledgers[key] = pass_back(self._ledger(key, inputs), owner, self.policy, inputs.at)
        return True

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
        self._put(
            Placed(lead.lead_id, wanted.at, lead.tier, was, decision.rep_id, decision.because, lead.waiting_minutes), moment.at
        )
        self.parted = self.parted or decision.rep_id != was
        if decision.rep_id is None:
            self.waiting[lead.lead_id] = wanted
        else:
            self.waiting.pop(lead.lead_id, None)
        return decision.rep_id is not None

    def _drain(self, moment: Inputs) -> None:
        """Try the waiting list again: hot tier first, oldest first."""
        hopeless = set()
        for lead_id, wanted in sorted(self.waiting.items(), key=lambda item: (item[1].lead.tier.value, item[1].at)):
            signature = tuple(getattr(wanted.lead, name) for name in ASKED)
            if lead_id == moment.lead.lead_id or signature in hopeless:
                continue
            if not self._decide(wanted, moment):
                hopeless.add(signature)

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


def simulate(past: Iterable[Past], policy: Policy) -> Simulation:
    """Run stored decisions, in order of time, through `policy`. Raises ValueError for a record that cannot be read."""
    run = _Run(policy)
    for decision in past:
        run.step(read_record(decision.record), decision.closed_at)
    shares: defaultdict[str, Share] = defaultdict(Share)
    for placed in run.placed.values():
        expected = _expected(run.facts[placed.lead_id], placed)
        if placed.was is not None:
            was = shares[placed.was]
            was.was, was.expected_was = was.was + 1, was.expected_was + expected[0]
            was.tiers_was[placed.tier] += 1
        if placed.now is not None:
            now = shares[placed.now]
            now.now, now.expected_now = now.now + 1, now.expected_now + expected[1]
            now.tiers_now[placed.tier] += 1
    return Simulation(
        policy.version,
        tuple(run.placed.values()),
        dict(shares),
        max(map(unfairness, run.ledgers_was.values()), default=0.0),
        max(map(unfairness, run.ledgers.values()), default=0.0),
    )


def summary(simulation: Simulation, names: Mapping[str, str] | None = None) -> list[str]:
    """The result as lines of text: a table of reps, then what would differ. `names` are shown instead of ids."""
    lines = [f"{'rep':<24}{'leads was':>10}{'now':>7}{'A was':>8}{'now':>6}{'expected was':>14}{'now':>9}"]
    for rep, share in sorted(simulation.shares.items()):
        tiers = f"{share.tiers_was[Tier.A]:>8}{share.tiers_now[Tier.A]:>6}"
        label = (names or {}).get(rep, rep)[:23]
        lines.append(f"{label:<24}{share.was:>10}{share.now:>7}{tiers}{share.expected_was:>14.1f}{share.expected_now:>9.1f}")
    waits = sorted(lead.waited for lead in simulation.placed if lead.now is not None)
    lines += [
        f"{len(simulation.moved)} of {len(simulation.placed)} leads would have gone elsewhere",
        f"nobody found for: {simulation.waiting_was} was, {simulation.waiting_now} now",
        f"furthest from what was due, in leads: {simulation.unfairness_was:.2f} was, {simulation.unfairness_now:.2f} now",
        f"longest wait now: {waits[-1] if waits else 0:.0f} minutes",
    ]
    return lines


def _expected(lead: LeadFacts, placed: Placed) -> tuple[float, float]:
    """What the lead was and would have been worth with its rep: by the learned fit when there is one."""
    was = lead.fits.get(placed.was or "", lead.probability) * lead.value
    return was, lead.fits.get(placed.now or "", lead.probability) * lead.value
