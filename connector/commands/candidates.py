"""Who could take a lead, for a person who gives it out: each rep with their load, their cap, and what stands against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from allocation.decide import decide, rotation_key
from allocation.fairness import Rotation
from allocation.rep import LeadFacts
from connector.bootstrap import House
from connector.pipeline.allocate import had_it
from connector.pipeline.roster import build_roster


@dataclass(frozen=True, slots=True)
class Candidate:
    """One active rep. `against` says which gate is closed and why; empty when none is. `cap` is of open leads."""

    rep_id: str
    name: str
    open_leads: int
    cap: int | None
    against: str


def candidates(house: House, lead_id: int) -> Sequence[Candidate]:
    """Every active rep but the owner, those whom nothing stands against first, by name."""
    lead = house.leads.get(lead_id)
    if lead is None or lead.erased:
        return []
    at, stored = house.clock.now(), house.scores.newest(lead.id)
    roster = build_roster(house, at)
    facts = LeadFacts.of(replace(lead, owner_id=None), stored.score if stored else None)
    line = rotation_key(facts, house.policy)
    state = house.decisions.rotation(line)
    rotation = Rotation.from_json(state) if state else Rotation(line)
    decision, _ = decide(facts, roster, house.policy, rotation, at, had_it(house, lead.id))
    caps = house.policy.plan(facts).caps
    against = {verdict.rep_id: verdict for verdict in decision.verdicts if verdict.gate is not None}
    found = []
    for rep in roster:
        if not rep.active or rep.id == lead.owner_id:
            continue
        verdict = against.get(rep.id)
        why = f"{verdict.gate.value}: {verdict.detail}".rstrip(": ") if verdict and verdict.gate else ""
        cap = house.policy.settled(rep).caps.over(caps).open
        found.append(Candidate(rep.id, rep.name, rep.open_leads, cap, why))
    return sorted(found, key=lambda one: (bool(one.against), one.name.casefold()))
