"""What each route of the API does: read the request, call the house, shape the answer."""

from __future__ import annotations

from connector import commands
from connector.bootstrap import House
from connector.commands.playbooks import RunTold, playbook_history
from connector.pipeline.consent import PURPOSE
from connector.pipeline.normalise import normalise
from connector.storage.decisions import StoredDecision
from connector.storage.reps import StoredRep
from leads.enums import ChangeKind, Role
from leads.records import LeadChange
from leads.results import Score
from webhooks.api.allocation import ALLOCATION_OPERATIONS
from webhooks.api.gate import Call, Operation, missing
from webhooks.api.policies import POLICY_OPERATIONS
from webhooks.api.records import (
    Claim,
    DecisionOut,
    DecisionQuery,
    DecisionsOut,
    DoneOut,
    LeadOut,
    NewLead,
    OwnerOut,
    PassOn,
    PlaybookRunOut,
    PlaybookStepOut,
    ReasonOut,
    Reassign,
    ScoreOut,
    StoredLeadOut,
    VerdictOut,
    WhyOut,
)
from webhooks.api.reps import REP_OPERATIONS, known_rep
from webhooks.api.score import SCORE_OPERATIONS, SCORE_STREAMS
from webhooks.api.simulation import SIMULATION_OPERATIONS
from webhooks.problems import Problem


def _score_out(score: Score) -> ScoreOut:
    return ScoreOut(
        probability=score.probability,
        score=score.score,
        tier=score.tier.value,
        confidence=score.confidence,
        reasons=[ReasonOut(feature=one.feature, contribution=one.contribution, text=one.text) for one in score.reasons],
        model_version=score.model_version,
        source=score.source,
        note=score.note,
        as_of=score.as_of,
    )


def add_lead(call: Call) -> StoredLeadOut:
    """Store a lead and have it scored and routed."""
    wanted = call.read(NewLead)
    change = normalise(
        LeadChange(
            event_key=f"api:{call.trace_id}",
            external_id=wanted.external_id or "",
            occurred_at=call.house.clock.now(),
            kind=ChangeKind.CREATED,
            fields=wanted.lead.model_dump(exclude_unset=True),
            extra=wanted.extra,
        )
    )
    _refuse_protected(call.house, change)
    return StoredLeadOut(id=commands.add_lead(call.house, change, call.actor()))


def _refuse_protected(house: House, change: LeadChange) -> None:
    """The erased stay erased, and who objected is not profiled."""
    email = change.fields.get("email")
    tokens = [token for _, token in house.leads.tokens("api", change.external_id or None, change.fields)]
    if house.privacy.buried(tokens) or house.privacy.refused([str(email)] if email else [], PURPOSE):
        raise Problem(409, "protected", "This person may not be stored.", "They were erased, or objected to profiling.")


def show_lead(call: Call) -> LeadOut:
    """A stored lead with its score and owner."""
    lead = call.house.leads.get(call.path_id())
    if lead is None or lead.erased:
        raise missing("lead")
    owner = call.house.reps.get(lead.owner_id) if lead.owner_id else None
    stored = call.house.scores.newest(lead.id)
    contact = call.house.timers.contact(lead.id)
    return LeadOut(
        id=lead.id,
        connection=lead.connection,
        external_id=lead.external_id,
        created_at=lead.created_at,
        fields=dict(lead.fields),
        extra=dict(lead.extra),
        outcome=lead.outcome.value,
        owner=OwnerOut(id=owner.id, external_id=owner.external_id, name=owner.name) if owner else None,
        pinned=lead.pinned,
        first_contact_at=contact.at if contact else None,
        speed_to_lead_s=contact.seconds if contact else None,
        score=_score_out(stored.score) if stored else None,
        playbooks=[_run_out(told) for told in playbook_history(call.house, lead.id)],
    )


def _run_out(told: RunTold) -> PlaybookRunOut:
    run = told.run
    return PlaybookRunOut(
        playbook=run.playbook,
        cause=told.cause,
        state=run.state,
        ended_as=run.ended_as,
        started_at=run.started_at,
        due_at=run.due_at,
        steps=[PlaybookStepOut(at=one.at, step=one.step, result=one.result) for one in told.steps],
    )


def show_why(call: Call) -> WhyOut:
    """Why the lead is where it is: the decision that stands, with a verdict on every rep."""
    why = commands.why(call.house, call.path_id())
    if why is None:
        raise missing("decision")
    return WhyOut(
        lead_id=why.lead_id,
        decision_id=why.decision_id,
        because=why.because,
        method=why.method,
        policy_version=why.policy_version,
        at=why.at,
        actor=why.actor,
        reason=why.reason,
        verdicts=[
            VerdictOut(
                rep_id=one.rep_id,
                rep_name=why.rep_names.get(one.rep_id, ""),
                verdict=one.kind.value,
                rank=one.rank,
                gate=one.gate.value if one.gate else None,
                detail=one.detail,
                factors=dict(one.factors),
            )
            for one in why.verdicts
        ],
        score=_score_out(why.score) if why.score else None,
        set_aside=list(why.set_aside),
        ask_next=why.ask_next,
    )


def reassign(call: Call) -> DoneOut:
    """Give the lead to a rep of one's choice. It wins over the engine and pins the lead."""
    wanted = call.read(Reassign)
    _known_lead(call)
    return _done(commands.reassign(call.house, call.path_id(), known_rep(call, wanted.rep_id).id, call.actor(), wanted.reason))


def claim(call: Call) -> DoneOut:
    """Take a lead that nobody holds, for a rep. Of many who try, one gets it; the others learn who (409)."""
    wanted = call.read(Claim)
    _known_lead(call)
    return _done(commands.claim(call.house, call.path_id(), call.actor(known_rep(call, wanted.rep_id).id)))


def accept(call: Call) -> DoneOut:
    """The rep who holds the lead takes it on: its first deadlines are met. Somebody else learns who holds it (409)."""
    wanted = call.read(Claim)
    _known_lead(call)
    return _done(commands.accept(call.house, call.path_id(), call.actor(known_rep(call, wanted.rep_id).id)))


def pass_on(call: Call) -> DoneOut:
    """The rep who holds the lead gives it back; it goes to the next who has not had it, or waits."""
    wanted = call.read(PassOn)
    _known_lead(call)
    return _done(commands.pass_on(call.house, call.path_id(), call.actor(known_rep(call, wanted.rep_id).id), wanted.reason))


def _known_lead(call: Call) -> None:
    lead = call.house.leads.get(call.path_id())
    if lead is None or lead.erased:
        raise missing("lead")


def _done(done: commands.Done) -> DoneOut:
    if not done.ok:
        raise Problem(409, "not-done", "This was not done.", done.text)
    return DoneOut(text=done.text)


def list_decisions(call: Call) -> DecisionsOut:
    """Decisions in order of id."""
    asked = call.read_query(DecisionQuery)
    found = call.house.decisions.since(asked.since, asked.after, asked.limit)
    reps = {rep.id: rep for rep in call.house.reps.all()}
    return DecisionsOut(
        decisions=[_decision_out(call.house, decision, reps.get(decision.rep_id or "")) for decision in found],
        next_after=found[-1].id if len(found) == asked.limit else None,
    )


def _decision_out(house: House, decision: StoredDecision, rep: StoredRep | None) -> DecisionOut:
    lead = house.leads.get(decision.lead_id)
    stored = house.scores.get(decision.score_id) if decision.score_id else None
    return DecisionOut(
        id=decision.id,
        lead_id=decision.lead_id,
        external_id=lead.external_id if lead else None,
        connection=lead.connection if lead else None,
        rep_id=decision.rep_id,
        rep_external_id=rep.external_id if rep else None,
        outcome=decision.outcome.value,
        tier=stored.score.tier.value if stored else None,
        score=stored.score.score if stored else None,
        at=decision.at,
    )


OPERATIONS = (
    Operation("POST", "/leads", Role.INGEST, "Store and route a lead", add_lead, StoredLeadOut, takes=NewLead, status=201),
    Operation("GET", "/leads/{id}", Role.REP, "Show a lead", show_lead, LeadOut),
    Operation("GET", "/leads/{id}/why", Role.REP, "Why a lead is where it is", show_why, WhyOut),
    Operation("POST", "/leads/{id}/reassign", Role.MANAGER, "Give a lead to a rep", reassign, DoneOut, takes=Reassign),
    Operation("POST", "/leads/{id}/claim", Role.REP, "Take a lead nobody holds", claim, DoneOut, takes=Claim),
    Operation("POST", "/leads/{id}/accept", Role.REP, "Take a lead on", accept, DoneOut, takes=Claim),
    Operation("POST", "/leads/{id}/pass", Role.REP, "Pass a lead on", pass_on, DoneOut, takes=PassOn),
    *SCORE_OPERATIONS,
    *REP_OPERATIONS,
    *ALLOCATION_OPERATIONS,
    *SIMULATION_OPERATIONS,
    *POLICY_OPERATIONS,
    Operation("GET", "/decisions", Role.REP, "List decisions", list_decisions, DecisionsOut, query=DecisionQuery),
)

STREAMS = (*SCORE_STREAMS,)
