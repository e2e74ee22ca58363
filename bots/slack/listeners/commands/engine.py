"""`rules`, `simulate`, `replay`, `model` and `health`: what decides, and how it does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from allocation.policy import Policy, parse_policy
from allocation.replay import replay as make_again
from bots.slack import access, grammar
from bots.slack.answers import errors_line
from bots.slack.listeners.commands.leads import one_lead
from bots.slack.text import lasting, say, when
from bots.slack.visit import Visit
from connector.commands import Actor
from connector.errors import Fatal
from connector.pipeline import overrides, simulation
from connector.storage.census import take_census
from connector.storage.decisions import StoredDecision
from leads.enums import Role

MOST_DAYS: Final = 90
#: "7 with Quarter four", "30 days", "with 8e1f".
SIMULATION: Final = re.compile(
    r"(?:(?P<days>\d{1,3})(?:\s*d(?:ays?)?)?)?\s*(?:with\s+(?:policy\s+)?(?P<policy>.+))?", re.IGNORECASE
)
#: A long simulation holds on to its request for so long again and again: meanwhile no other worker begins it.
HELD_S: Final = 60.0
#: Published policies that are listed, the newest last.
PUBLISHED: Final = 5
RULES: Final = 20


def rules(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """The policy in force: its rules in their order, and its teams."""
    policy = visit.house.policy
    lines = [f"*{say(policy.name, 150)}*, version {policy.version}"]
    for place, rule in enumerate(policy.rules[:RULES], start=1):
        lines.append(f"{place}. {say(rule.name, 120)} → team {say(rule.team, 80)}")
    lines.append(f"Everything else → team {say(policy.fallback, 80)}")
    for team in list(policy.teams.values())[:RULES]:
        who = "those the CRM puts in it" if team.reps is None else f"{len(team.reps)} named"
        lines.append(f"• Team {say(team.name, 80)}: {team.method.value.replace('_', ' ')}, reps: {who}")
    visit.tell("\n".join(lines), shared=call.shared)


def simulate(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """The last days' decisions through the policy in force, or one that was published before: who would have got how many."""
    if not actor.may(Role.MANAGER):
        visit.tell(access.MANAGERS_ONLY)
        return
    asked = SIMULATION.fullmatch(call.query)
    days = int(asked["days"] or 7) if asked else 0
    if asked is None or not 1 <= days <= MOST_DAYS:
        visit.tell(f"For how many days? Write a number from 1 to {MOST_DAYS}, or nothing for 7.")
        return
    house = visit.house
    policy = _policy(visit, asked["policy"] or "")
    if policy is None:
        return
    try:
        made = simulation.run(
            house, policy, house.clock.now() - timedelta(days=days), lambda done, what: house.inbox.hold_on(HELD_S)
        )
    except Fatal as error:
        visit.tell(say(str(error), 300))
        return
    names = visit.house.reps.names()
    lines = [f"*The last {days} days through policy {made.policy_version}*: {len(made.moved)} of {len(made.placed)} leads move"]
    ordered = sorted(made.shares.items(), key=lambda share: -max(share[1].was, share[1].now))
    lines += [f"• {say(names.get(rep, rep), 120)}: had {share.was}, would have {share.now}" for rep, share in ordered[:RULES]]
    lines.append(f"Waiting at the end: {made.waiting_was}, would be {made.waiting_now}. Nothing was changed.")
    visit.tell("\n".join(lines), shared=call.shared)


def _policy(visit: Visit, wanted: str) -> Policy | None:
    """The policy in force, or the newest published one of this name or version; None after telling which ones there are."""
    if not wanted or wanted.casefold() == "current":
        return visit.house.policy
    published = visit.house.policies.history()
    word = wanted.casefold()
    found = next((one for one in published if one.version.startswith(word) or one.name.casefold() == word), None)
    if found is None:
        known = {one.version: f"{say(one.name, 80)} (`{one.version}`)" for one in reversed(published)}
        listed = ", ".join([*known.values()][-PUBLISHED:]) or "none yet"
        visit.tell(f"No published policy is called {say(wanted, 80)}. Published: {listed}.")
        return None
    try:
        return parse_policy(found.text, found.name)
    except ValueError as error:
        visit.tell(f"That policy was written for another version of Leadswitch: {say(str(error), 300)}")
        return None


def replay(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """Make a past decision again from its record alone, and say whether it comes out the same."""
    if not actor.may(Role.MANAGER):
        visit.tell(access.MANAGERS_ONLY)
        return
    decision = _decision(visit, call.query)
    if decision is None:
        return
    try:
        made = make_again(decision.record)
    except (ValueError, KeyError) as error:
        visit.tell(f"Decision {decision.id} cannot be made again: {say(str(error), 200)}.")
        return
    names = visit.house.reps.names()
    then, now = (say(names.get(rep or "", "nobody"), 120) for rep in (decision.rep_id, made.rep_id))
    same = (made.outcome, made.rep_id) == (decision.outcome, decision.rep_id)
    verdict = "It comes out the same" if same else f"*It comes out otherwise*: now {now} ({made.outcome.value})"
    about = f"Decision {decision.id} of {when(decision.at)} gave lead {decision.lead_id} to {then} ({decision.outcome.value})."
    visit.tell(f"{about}\n{verdict}. {say(made.because, 400)}")


def _decision(visit: Visit, query: str) -> StoredDecision | None:
    """The decision with this number, else the newest of the lead that is meant; None after telling the person."""
    if not query:
        visit.tell(f"Which one?\n{grammar.usage(visit.house.settings.slack.command, 'replay')}")
        return None
    if query.isdecimal() and len(query) < 10 and (decision := visit.house.decisions.get(int(query))) is not None:
        return decision
    card = one_lead(visit, query, "show")
    if card is None:
        return None
    decision = visit.house.decisions.newest(card.lead_id)
    if decision is None:
        visit.tell("Nothing was decided about this lead yet.")
    return decision


def model(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """The champion with its figures, and how often people correct scores and decisions."""
    record = visit.house.model_versions.champion()
    if record is None:
        lines = ["No model is in use: leads are scored by rules until there is history to learn from."]
    else:
        lines = [f"*Model {say(record.version, 80)}* in use, made {when(record.created_at)}"]
        lines += [f"• {say(name.replace('_', ' '), 60)}: {_figure(value)}" for name, value in _figures(record.metrics)]
    visit.tell("\n".join([*lines, errors_line(overrides.lately(visit.house))]), shared=call.shared)


def _figures(metrics: Any) -> list[tuple[str, float]]:
    plain = [(name, value) for name, value in metrics.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    return plain[:12]


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def health(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """What waits, since when, and what was given up."""
    if not actor.may(Role.ADMIN):
        visit.tell(access.ADMINS_ONLY)
        return
    census = take_census(visit.house.db, visit.house.clock.now())
    waits = [f"{stage} {lasting(age)}" for stage, age in census.stage_ages.items() if age > 0]
    sending = [f"{say(name, 60)}: {count} to send" for name, count in sorted(census.open_effects.items())]
    dead = [f"{say(name, 60)}: {count} given up" for name, count in sorted(census.dead_letters.items())]
    policy = visit.house.policy
    lines = [
        "*All is well*" if not dead else "*Something was given up*: see `leadswitch deadletters list`",
        f"Inbox: {census.inbox_pending} waiting" + (f" · oldest: {', '.join(waits)}" if waits else ""),
        *(f"• {line}" for line in [*sending, *dead]),
        errors_line(overrides.lately(visit.house)),
        f"{census.scores} scores and {census.decisions} decisions so far · policy {policy.version}",
    ]
    visit.tell("\n".join(lines))
