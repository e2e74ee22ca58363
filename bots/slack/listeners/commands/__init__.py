"""The slash command: one verb, one function. What needs more than one argument opens a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bots.slack import access, grammar
from bots.slack.listeners.commands import engine, leads, lists, reps
from bots.slack.text import say
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor


def undo(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """Take back what this person did last."""
    visit.report(commands.undo(visit.house, actor).text)


VERBS: Final[Mapping[grammar.Verb, Callable[[Visit, Actor, grammar.Call], None]]] = {
    "show": leads.on_lead,
    "why": leads.on_lead,
    "claim": leads.on_lead,
    "reassign": leads.on_lead,
    "pause": reps.pause,
    "resume": reps.resume,
    "pto": reps.days_off,
    "caps": reps.caps,
    "pool": lists.pool,
    "queue": lists.queue,
    "rules": engine.rules,
    "simulate": engine.simulate,
    "replay": engine.replay,
    "model": engine.model,
    "health": engine.health,
    "undo": undo,
}


def handle(visit: Visit, payload: Mapping[str, Any]) -> None:
    """Read what was typed and answer it."""
    command = visit.house.settings.slack.command
    call = grammar.parse(str(payload.get("text") or ""))
    if isinstance(call, grammar.Unknown):
        meant = f" Did you mean `{command} {call.suggestion}`?" if call.suggestion else ""
        visit.tell(f"I do not know `{say(call.word, 60)}`.{meant}\n{grammar.usage(command)}")
        return
    if call.verb == "help":
        visit.tell(grammar.usage(command, call.query.lower()))
        return
    if call.verb in grammar.OF_A_LEAD and not call.query:
        visit.tell(f"Which lead?\n{grammar.usage(command, call.verb)}")
        return
    actor = access.admit(visit)
    if actor is not None:
        VERBS[call.verb](visit, actor, call)
