"""`/lead show|why|reassign|help`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bots.slack import access, blocks, grammar
from bots.slack.listeners import actions
from bots.slack.text import say
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState
from connector.storage.reps import StoredRep

#: How many leads a search may list.
FOUND = 10


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
    if not call.query:
        visit.tell(f"Which lead?\n{grammar.usage(command, call.verb)}")
        return
    actor = access.actor_of(visit.house, visit.api, visit.user)
    if isinstance(actor, str):
        visit.tell(actor)
        return
    card = _one_lead(visit, call)
    if card is None:
        return
    if call.verb == "show":
        actions.show(visit, actor, card)
    elif call.verb == "why":
        actions.why(visit, actor, card)
    elif not call.to:
        actions.ask_reassign_to(visit, actor, card)
    else:
        _reassign(visit, actor, card, call)


def _one_lead(visit: Visit, call: grammar.Call) -> CardState | None:
    """The one lead that was meant; None after telling the person that there is none, or which ones there are."""
    found = commands.find_leads(visit.house, call.query, limit=FOUND)
    if not found:
        visit.tell(f"No lead matches {say(call.query, 200)}. Try a name, an e-mail address, a link to the CRM record or an id.")
        return None
    if len(found) > 1:
        visit.tell(f"{len(found)} leads match.", blocks.choices(call.query, found, call.verb))
        return None
    card = commands.card(visit.house, found[0].id)
    if card is None:
        visit.tell(access.GONE)
    return card


def _reassign(visit: Visit, actor: Actor, card: CardState, call: grammar.Call) -> None:
    """Give the lead to the rep who was named, if exactly one fits the name."""
    refused = access.refusal(actor, "reassign", card)
    if refused:
        visit.tell(refused)
        return
    fitting = find_reps([rep for rep in visit.house.reps.all() if rep.active], call.to)
    if not fitting:
        visit.tell(f"No active rep is called {say(call.to, 100)}. Leave the name out to choose from the list.")
        return
    if len(fitting) > 1:
        several = ", ".join(say(rep.name, 80) for rep in fitting[:10])
        visit.tell(f"Several reps fit {say(call.to, 100)}: {several}. Write the e-mail address, or leave the name out to choose.")
        return
    reason = call.reason or "Reassigned by command"
    visit.report(commands.reassign(visit.house, card.lead_id, fitting[0].id, actor, reason).text)


def find_reps(reps: Sequence[StoredRep], wanted: str) -> list[StoredRep]:
    """The reps meant by a Slack mention (@U123), an e-mail address, a whole name or a part of one, the exact before the near."""
    word = wanted.strip().casefold()
    if not word.lstrip("@"):
        return []
    tests = (
        lambda rep: word == f"@{(rep.slack_user_id or '').casefold()}",
        lambda rep: word == (rep.email or "").casefold(),
        lambda rep: word.lstrip("@") == rep.name.casefold(),
        lambda rep: all(part in rep.name.casefold().split() for part in word.lstrip("@").split()),
        lambda rep: word.lstrip("@") in rep.name.casefold(),
    )
    for test in tests:
        fitting = [rep for rep in reps if test(rep)]
        if fitting:
            return fitting
    return []
