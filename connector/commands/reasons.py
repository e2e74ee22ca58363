"""Why a lead is where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.bootstrap import House
from connector.pipeline.allocate import read_verdicts
from connector.storage.decisions import StoredDecision
from leads.results import Score, Verdict
from scoring.timeline import aside


@dataclass(frozen=True, slots=True)
class Why:
    """The decision that stands and everything it rested on. `reason` is what whoever decided chose and wrote.

    As of now: `set_aside` says which of the lead's acts count nothing, and why; `ask_next` is the question whose answer would tell
    most, None when nothing is left to ask.
    """

    lead_id: int
    decision_id: int
    because: str
    method: str
    policy_version: str
    at: datetime
    actor: str
    reason: str | None
    verdicts: Sequence[Verdict]
    rep_names: Mapping[str, str]
    score: Score | None
    set_aside: Sequence[str] = ()
    ask_next: str | None = None


def reason_of(house: House, decision: StoredDecision) -> str | None:
    """The word that whoever decided chose, and what they wrote: "wrong_territory: lives in Lyon". What was written is gone with the
    person; "other" is left out where it is there."""
    person = house.leads.person_seal(decision.lead_id) if decision.sealed else None
    said = str(person.open_json(decision.sealed)) if person and decision.sealed else ""
    return ": ".join(filter(None, (None if said and decision.reason == "other" else decision.reason, said))) or None


def why(house: House, lead_id: int) -> Why | None:
    """Why the lead is where it is; None when nothing was decided yet. One that was merged is asked of the one it became."""
    from scoring.next_fact import next_fact  # with numerics, which this process may not have loaded yet

    lead = house.leads.get(lead_id)
    decision = house.decisions.newest(lead.id) if lead else None
    if decision is None:
        return None
    stored = house.scores.get(decision.score_id) if decision.score_id else None
    verdicts = read_verdicts(decision.record)
    history = house.histories.at(decision.lead_id, house.clock.now())
    ask = next_fact(history.facts, house.models.champion()) if history else None
    return Why(
        decision.lead_id,
        decision.id,
        decision.because,
        decision.method,
        decision.policy_version,
        decision.at,
        decision.actor,
        reason_of(house, decision),
        verdicts,
        house.reps.names(),
        stored.score if stored else None,
        [one.why for one in aside(history)] if history else [],
        ask.question if ask else None,
    )
