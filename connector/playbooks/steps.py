"""The steps: each puts one row into the outbox, within the caller's transaction, and says so in a few words.

The subject names run and step, so that the row is the only one of its kind. What it says is worded when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from allocation.hours import Calendar, zone_of
from allocation.policy import Plan
from allocation.sla import due_at
from connector.bootstrap import House
from connector.errors import Skippable
from connector.pipeline.allocate import chosen_plan, facts_of
from connector.pipeline.crm_wishes import OWN
from connector.pipeline.sla import calendar_of
from connector.pipeline.wishes import Wishes, wishes_of
from connector.playbooks.alerts import ALERT
from connector.playbooks.plan import Do, Playbook, Step
from connector.queue import SMTP, webhook_destination
from leads.enums import EffectKind
from leads.records import Lead

Taker = Callable[[House, Lead, Playbook, Step, str], str]


def plan_of(house: House, lead: Lead) -> Plan:
    """What the policy says of the lead now: its team, hours and manager."""
    facts = facts_of(house, lead, house.scores.newest(lead.id), house.clock.now())
    return chosen_plan(house.policy, facts, None)


def wait_until(house: House, lead: Lead, step: Step) -> datetime:
    """When a wait that begins now is over: in the business time of the rep, else of the team; or by the clock on the wall."""
    now, minutes = house.clock.now(), float(step.told["minutes"])
    if not step.told["business"]:
        return now + timedelta(minutes=minutes)
    plan = plan_of(house, lead)
    calendar = calendar_of(house, lead.owner_id, plan.calendar) if lead.owner_id else plan.calendar
    try:
        return due_at(now, minutes, calendar)
    except ValueError:  # hours that never come: counted round the clock
        return due_at(now, minutes, Calendar())


def quiet_until(house: House, lead: Lead, playbook: Playbook) -> datetime | None:
    """When the playbook's quiet hours end that hold now, in the zone of the rep, else of the team."""
    if playbook.quiet is None:
        return None
    rep = house.reps.get(lead.owner_id) if lead.owner_id else None
    zone = wishes_of(house, rep).zone if rep else zone_of(plan_of(house, lead).calendar.zone)
    return Wishes(zone, playbook.quiet, playbook.quiet[0], frozenset()).quiet_until(house.clock.now())


def _ask(house: House, kind: EffectKind, destination: str, subject: str, lead: Lead, payload: Mapping[str, Any]) -> None:
    house.effects.add(kind, destination, subject, lead.id, payload)
    house.db.after_commit(partial(house.queue.ring_deliver, destination))


def _crm(kind: EffectKind, house: House, lead: Lead, playbook: Playbook, step: Step, subject: str) -> str:
    if lead.external_id is None or lead.connection not in house.crm_connections():
        raise Skippable("the lead has no record in a CRM")
    _ask(house, kind, lead.connection, subject, lead, {OWN: playbook.title, **step.told})
    return f"asked of {lead.connection}"


def _stage(house: House, lead: Lead, playbook: Playbook, step: Step, subject: str) -> str:
    told = _crm(EffectKind.CRM_LEAD, house, lead, playbook, step, subject)
    house.playbooks.note_stage(lead.id, str(step.told["stage"]))
    return told


def _enrol(house: House, lead: Lead, playbook: Playbook, step: Step, subject: str) -> str:
    tool = str(step.told["connection"])
    if tool not in house.tools():
        raise Skippable(f"{tool} enrols nobody")
    _ask(house, EffectKind.ENROL, tool, subject, lead, {OWN: playbook.title, **step.told})
    return f"asked of {tool}"


def _alert(house: House, lead: Lead, playbook: Playbook, step: Step, subject: str) -> str:
    if not house.slack_configured:
        raise Skippable("there is no Slack")
    places = _places(house, lead, str(step.told["to"]))
    run, _, position = subject.removeprefix("playbook:").partition(":")
    for place in places:
        payload = {"stage": ALERT, "result": f"{run}.{position}", "rep_id": lead.owner_id or "", "destination": place}
        _ask(house, EffectKind.SLA_ALERT, "slack", f"{subject}:{place}", lead, payload)
    return f"asked of {', '.join(places)}"


def _places(house: House, lead: Lead, to: str) -> list[str]:
    """The Slack destinations of an alert."""
    slack, team = house.settings.slack, plan_of(house, lead).team
    if to.startswith("#"):
        return [f"channel:{to}"]
    if to == "rep":
        if lead.owner_id is None:
            raise Skippable("nobody holds the lead")
        return [f"dm:{lead.owner_id}"]
    if to == "manager":
        if team.manager:
            return [f"dm:{team.manager}"]
        if slack.managers:
            return [f"manager:{place}" for place in range(len(slack.managers))]
    return [f"channel:{slack.channels.get(team.name, slack.channel)}"]


def _webhook(house: House, lead: Lead, playbook: Playbook, step: Step, subject: str) -> str:
    name = str(step.told["to"])
    if name not in house.settings.webhooks:
        raise Skippable(f"there is no [webhooks.{name}] any more")
    payload = {OWN: playbook.title, "name": playbook.name, **step.told}
    _ask(house, EffectKind.WEBHOOK, webhook_destination(name), subject, lead, payload)
    return f"asked of {name}"


def _email(house: House, lead: Lead, playbook: Playbook, step: Step, subject: str) -> str:
    if not house.settings.smtp.host:
        raise Skippable("there is no [smtp]")
    _ask(house, EffectKind.EMAIL, SMTP, subject, lead, {OWN: playbook.title, **step.told})
    return f"asked, to the {step.told['to']}"


STEPS: Final[Mapping[Do, Taker]] = {
    Do.TASK: partial(_crm, EffectKind.CRM_TASK),
    Do.NOTE: partial(_crm, EffectKind.CRM_NOTE),
    Do.DEAL: partial(_crm, EffectKind.CRM_DEAL),
    Do.STAGE: _stage,
    Do.ENROL: _enrol,
    Do.ALERT: _alert,
    Do.WEBHOOK: _webhook,
    Do.EMAIL: _email,
}
