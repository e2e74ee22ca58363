"""What people do, from Slack, the API or the command line: one function each. Every act is checked, recorded and audited here,
and its effects leave by the outbox in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline.alerts import ask_cards
from connector.pipeline.allocate import announce, choose, pick, read_verdicts
from connector.pipeline.normalise import normalise, normalise_email
from connector.pipeline.roster import check_setting
from connector.storage.leads import FOREIGN_ID
from connector.storage.reps import StoredRep
from connector.storage.scores import StoredScore
from leads.enums import DecisionOutcome, Outcome, Role, Tier
from leads.records import Engagement, Lead, LeadChange
from leads.results import Score, Verdict

SEARCHED = 2_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `kind` is slack, api, cli or system; `rep_id` when they are a salesperson."""

    kind: str
    id: str
    role: Role
    rep_id: str | None = None

    @property
    def label(self) -> str:
        return f"{self.kind}:{self.id}"

    def may(self, role: Role) -> bool:
        """True when this actor's role holds `role`."""
        order = list(Role)
        return self.role is not Role.UNKNOWN and order.index(self.role) >= order.index(role)


@dataclass(frozen=True, slots=True)
class Done:
    """How an act ended, with one sentence for the person."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class LeadSummary:
    """A lead in a list."""

    id: int
    name: str
    company: str | None
    tier: Tier
    score: int | None
    owner_name: str | None


@dataclass(frozen=True, slots=True)
class CardState:
    """Everything a lead card shows. `state` is new, accepted, reassigned, waiting, won, lost or gone."""

    lead_id: int
    external_id: str | None
    name: str
    title: str | None
    company: str | None
    source: str | None
    tier: Tier
    score: int | None
    trend: int | None  # change against the score before, in points
    confidence: float | None
    reasons_up: tuple[str, ...]
    reasons_down: tuple[str, ...]
    rationale: str | None
    because: str | None
    owner_id: str | None
    owner_name: str | None
    state: str
    accepted_by: str | None
    accepted_after_s: float | None
    passed_reason: str | None
    last_engagement: Engagement | None
    created_at: datetime
    crm_url: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Why:
    """The decision that stands and everything it rested on."""

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


# -- looking


def find_leads(house: House, query: str, limit: int = 5) -> list[LeadSummary]:
    """Leads by number, e-mail, CRM id or link, or by name and company among those touched last."""
    text = query.strip()
    if not text:
        return []
    exact = _find_exact(house, text)
    if exact:
        return [_summary(house, lead) for lead in exact[:limit]]
    words = text.lower().split()
    found = []
    for lead in house.leads.recent(SEARCHED):
        searched = f"{lead.name} {lead.fields.get('company') or ''}".lower()
        if all(word in searched for word in words):
            found.append(lead)
    return [_summary(house, lead) for lead in found[:limit]]


def _find_exact(house: House, text: str) -> list[Lead]:
    ids: list[int] = []
    number = text.removeprefix("#")
    if number.isdecimal():
        ids.append(int(number[:11]))
    candidates = {text, *re.findall(r"[\w-]+", text.rsplit("/", 1)[-1])} if "/" in text else {text}
    for connection in house.settings.connections:
        ids += [found for candidate in candidates if (found := house.leads.find_external(connection, candidate)) is not None]
    ids += house.leads.find(house.leads.tokens("", None, {}, {FOREIGN_ID: text}))
    email = normalise_email(text.strip("<>").removeprefix("mailto:").partition("|")[0]) if "@" in text else None
    if email:
        ids += house.leads.find(house.leads.tokens("", None, {"email": email}))
    leads = {lead.id: lead for lead_id in dict.fromkeys(ids) if (lead := house.leads.get(lead_id)) is not None and not lead.erased}
    return list(leads.values())


def _summary(house: House, lead: Lead) -> LeadSummary:
    stored = house.scores.newest(lead.id)
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    company = lead.fields.get("company")
    return LeadSummary(
        lead.id,
        lead.name,
        str(company) if company else None,
        stored.score.tier if stored else Tier.UNKNOWN,
        stored.score.score if stored else None,
        owner.name if owner else None,
    )


def card(house: House, lead_id: int) -> CardState | None:
    """The lead as its card shows it now; None when there is no such lead any more."""
    lead = house.leads.get(lead_id)
    if lead is None or lead.erased:
        return None
    stored = house.scores.newest(lead.id)
    before = house.scores.before(stored) if stored else None
    decision = house.decisions.newest(lead.id)
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    assignment = house.decisions.open_assignment(lead.id)
    past = [held for held in house.decisions.history(lead.id) if held.closed_as in ("passed", "reassigned")]
    score = stored.score if stored else None
    rationale = house.scores.rationale(stored.id) if stored else None
    accepted = assignment is not None and assignment.accepted_at is not None
    client = house.client(lead.connection) if lead.connection in house.settings.connections else None

    def text(name: str) -> str | None:
        value = lead.fields.get(name)
        return str(value) if value not in (None, "") else None

    return CardState(
        lead_id=lead.id,
        external_id=lead.external_id,
        name=lead.name,
        title=text("title"),
        company=text("company"),
        source=text("source"),
        tier=score.tier if score else Tier.UNKNOWN,
        score=score.score if score else None,
        trend=score.score - before.score.score if score and before else None,
        confidence=score.confidence if score else None,
        reasons_up=tuple(reason.text for reason in score.reasons if reason.contribution > 0)[:3] if score else (),
        reasons_down=tuple(reason.text for reason in score.reasons if reason.contribution < 0)[:2] if score else (),
        rationale=rationale.text if rationale else None,
        because=decision.because if decision else None,
        owner_id=lead.owner_id,
        owner_name=owner.name if owner else None,
        state=_state(lead, accepted, bool(past)),
        accepted_by=owner.name if accepted and owner else None,
        accepted_after_s=(assignment.accepted_at - assignment.opened_at).total_seconds()
        if assignment and assignment.accepted_at
        else None,
        passed_reason=decision.reason if decision and past and past[-1].closed_as == "passed" else None,
        last_engagement=house.histories.last_engagement(lead.id),
        created_at=lead.created_at,
        crm_url=client.record_url(lead.external_id) if client and lead.external_id else None,
        note=score.note if score else None,
    )


def _state(lead: Lead, accepted: bool, moved: bool) -> str:
    if lead.outcome in (Outcome.WON, Outcome.LOST):
        return lead.outcome.value
    if not lead.routable:
        return "gone"
    if lead.owner_id is None:
        return "waiting"
    return "accepted" if accepted else "reassigned" if moved else "new"


def why(house: House, lead_id: int) -> Why | None:
    """Why the lead is where it is; None when nothing was decided yet."""
    decision = house.decisions.newest(lead_id)
    if decision is None:
        return None
    stored = house.scores.get(decision.score_id) if decision.score_id else None
    verdicts = read_verdicts(decision.record)
    return Why(
        lead_id,
        decision.id,
        decision.because,
        decision.method,
        decision.policy_version,
        decision.at,
        decision.actor,
        decision.reason,
        verdicts,
        house.reps.names(),
        stored.score if stored else None,
    )


# -- acting


def accept(house: House, lead_id: int, actor: Actor) -> Done:
    """The rep takes the lead on. A late click learns who holds it; a second click changes nothing."""
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or lead.erased:
            return Done(False, "This lead is gone.")
        assignment = house.decisions.open_assignment(lead.id)
        if assignment is None:
            return Done(False, "Nobody holds this lead now.")
        holder = house.reps.get(assignment.rep_id)
        if actor.rep_id != assignment.rep_id:
            return Done(False, f"{lead.name} was taken by {holder.name if holder else 'somebody else'}.")
        if not house.decisions.accept(assignment.id, house.clock.now()):
            return Done(True, f"You have accepted {lead.name} already.")
        _audit(house, actor, "lead.accepted", lead)
        _refresh(house, lead)
        return Done(True, f"{lead.name} is yours.")


def pass_on(house: House, lead_id: int, actor: Actor, reason: str) -> Done:
    """The rep gives the lead back, with a reason; the engine gives it to the next who has not had it."""
    if not reason.strip():
        return Done(False, "Please say why you pass.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        assignment = house.decisions.open_assignment(lead.id) if lead else None
        if lead is None or assignment is None:
            return Done(False, "Nobody holds this lead now.")
        if actor.rep_id != assignment.rep_id and not actor.may(Role.MANAGER):
            holder = house.reps.get(assignment.rep_id)
            return Done(False, f"{lead.name} was taken by {holder.name if holder else 'somebody else'}.")
        house.decisions.close(lead.id, house.clock.now(), "passed")
        house.leads.set_owner(lead.id, None, pinned=False)
        stored = house.scores.newest(lead.id)
        decision = pick(house, lead, stored, actor.label, reason=reason, passed_by=assignment.rep_id)
        _after(house, lead, stored, decision.rep_id)
        if decision.outcome is DecisionOutcome.HELD:
            house.leads.touch(lead.id)  # due again: the clock tries until somebody is free
            return Done(True, f"Passed. Nobody else is free for {lead.name}; it waits.")
        taker = house.reps.get(decision.rep_id or "")
        return Done(True, f"Passed. {lead.name} goes to {taker.name if taker else 'another rep'}.")


def reassign(house: House, lead_id: int, rep_id: str, actor: Actor, reason: str) -> Done:
    """A manager gives the lead to a rep of their choice. It wins over the engine and pins the lead."""
    if not actor.may(Role.MANAGER):
        return Done(False, "Only managers and admins may reassign.")
    rep = house.reps.get(rep_id)
    if rep is None:
        return Done(False, "There is no such rep.")
    if not rep.active:
        return Done(False, f"{rep.name} is not active.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or not _can_be_given(lead):
            return Done(False, "This lead is gone.")
        if lead.owner_id == rep.id:
            return Done(True, f"{rep.name} holds {lead.name} already.")
        choose(house, lead, rep.id, actor.label, reason or None, because=f"Reassigned by hand to {rep.name}.")
        _take_up(house, lead)
        _after(house, lead, house.scores.newest(lead.id), rep.id)
        return Done(True, f"{lead.name} goes to {rep.name}.")


def claim(house: House, lead_id: int, actor: Actor) -> Done:
    """A rep takes a lead that nobody holds. Of many who try, one gets it and the others learn who."""
    if actor.rep_id is None:
        return Done(False, "Only reps can claim leads.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or not _can_be_given(lead):
            return Done(False, "This lead is gone.")
        if lead.owner_id is not None:
            holder = house.reps.get(lead.owner_id)
            mine = lead.owner_id == actor.rep_id
            return Done(
                mine, f"{lead.name} is yours." if mine else f"{lead.name} was taken by {holder.name if holder else 'somebody'}."
            )
        choose(house, lead, actor.rep_id, actor.label, None, because="Claimed.")
        _take_up(house, lead)
        _after(house, lead, house.scores.newest(lead.id), actor.rep_id)
        return Done(True, f"{lead.name} is yours.")


def set_rep(house: House, rep_id: str, changes: Mapping[str, Any], actor: Actor) -> StoredRep:
    """Change what people may set for a rep; None takes a setting back. Raises `Configuration` naming the field."""
    for name, value in changes.items():
        try:
            check_setting(name, value)
        except ValueError as error:
            raise Configuration(f"{name}: {error}.") from None
    with house.db.transaction():
        before = house.reps.get(rep_id)
        after = house.reps.set(rep_id, changes) if before else None
        if before is None or after is None:
            raise Configuration("There is no such rep.", "See `leadswitch reps list`.")
        was = {name: before.settings.get(name) for name in changes}
        house.audit.add(actor.label, "rep.set", f"rep:{rep_id}", detail={"before": was, "after": dict(changes)})
        return after


def add_lead(house: House, change: LeadChange, actor: Actor) -> int:
    """Take in one lead by the API and route it; returns its id."""
    with house.db.transaction():
        applied = house.leads.apply("api", normalise(change), live=True)
        house.audit.add(actor.label, "lead.added", f"lead:{applied.lead_id}", lead_id=applied.lead_id)
        house.db.after_commit(lambda: house.queue.ring_score(applied.lead_id))
        return applied.lead_id


def actor_for_slack(house: House, slack_user_id: str, email: str | None) -> Actor:
    """Who a Slack user is here: by link, else by e-mail; admins and managers come from the settings."""
    rep = house.reps.by_slack(slack_user_id)
    if rep is None and email and (rep := house.reps.by_email(email)) is not None:
        house.reps.link_slack(rep.id, slack_user_id)
    names = {slack_user_id.lower(), (email or "").lower()} - {""}
    slack = house.settings.slack
    role = Role.REP if rep and rep.active else Role.UNKNOWN
    if names & {name.lower() for name in slack.managers}:
        role = Role.MANAGER
    if names & {name.lower() for name in slack.admins}:
        role = Role.ADMIN
    return Actor("slack", slack_user_id, role, rep.id if rep and rep.active else None)


def _can_be_given(lead: Lead) -> bool:
    """False for the erased, and for whom no CRM knows (any more) and nothing live speaks of."""
    return not lead.erased and (lead.routable or lead.external_id is not None)


def _take_up(house: House, lead: Lead) -> None:
    """A lead of the past that a person gives to somebody is live from now on."""
    if not lead.routable:
        house.leads.touch(lead.id)
        house.db.after_commit(lambda: house.queue.ring_score(lead.id))


def _after(house: House, lead: Lead, stored: StoredScore | None, rep_id: str | None) -> None:
    """The effects of a new owner."""
    current = house.leads.get(lead.id)
    if current is not None:
        announce(house, current, stored.score if stored else None, rep_id, fresh=True)


def _refresh(house: House, lead: Lead) -> None:
    stored = house.scores.newest(lead.id)
    if ask_cards(house, lead.id, stored.score.tier if stored else Tier.UNKNOWN, lead.owner_id):
        house.db.after_commit(lambda: house.queue.ring_deliver("slack"))


def _audit(house: House, actor: Actor, action: str, lead: Lead, reason: str | None = None) -> None:
    house.audit.add(actor.label, action, f"lead:{lead.id}", lead_id=lead.id, reason=reason)
