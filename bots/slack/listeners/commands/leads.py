"""`show`, `why`, `claim` and `reassign`: about one lead, found by name, e-mail address, link or id; or about all of a rep's."""

from __future__ import annotations

from bots.slack import access, answers, grammar
from bots.slack.listeners.actions import bulks
from bots.slack.listeners.actions import leads as clicks
from bots.slack.listeners.commands.people import one_rep
from bots.slack.text import say
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState
from connector.commands.bulks import MOST
from connector.commands.search import SEARCHED, has_older

#: How many leads a search may list.
FOUND = 10


def on_lead(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """Find the lead and do what the verb says."""
    if call.bulk:
        _all_of_a_rep(visit, actor, call)
        return
    card = one_lead(visit, call.query, call.verb)
    if card is None:
        return
    if call.verb == "show":
        clicks.show(visit, actor, card, shared=call.shared)
    elif call.verb == "why":
        clicks.why(visit, actor, card, shared=call.shared)
    elif call.verb == "claim":
        clicks.claim(visit, actor, card)
    elif not call.to:
        clicks.ask_reassign_to(visit, actor, card)
    else:
        _reassign(visit, actor, card, call)


def one_lead(visit: Visit, query: str, verb: str) -> CardState | None:
    """The one lead that was meant; None after telling the person that there is none, or which ones there are."""
    found = commands.find_leads(visit.house, query, limit=FOUND)
    if not found:
        older = f" By name I looked through the {SEARCHED:,} leads touched last." if has_older(visit.house) else ""
        visit.tell(f"No lead matches {say(query, 200)}.{older} Try a name, an e-mail address, a link to the CRM record or an id.")
        return None
    if len(found) > 1:
        looked = f"Among the {SEARCHED:,} leads touched last." if has_older(visit.house) else ""
        visit.tell(f"{len(found)} leads match.", answers.choices(query, found, verb, looked))
        return None
    return access.lead_of(visit, found[0].id)


def _reassign(visit: Visit, actor: Actor, card: CardState, call: grammar.Call) -> None:
    """Give the lead to the rep who was named, if exactly one fits the name."""
    refused = access.refusal(actor, "reassign", card)
    if refused:
        visit.tell(refused)
        return
    rep = one_rep(visit, call.to)
    if rep is None:
        return
    against = next((one.against for one in commands.candidates(visit.house, card.lead_id) if one.rep_id == rep.id), "")
    reason = call.reason or "Reassigned by command"
    done = commands.reassign(visit.house, card.lead_id, rep.id, actor, reason)
    visit.report(f"{done.text} Mind: {against}." if done.ok and against else done.text)


def _all_of_a_rep(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """Ask whether all open leads of one rep shall go to another: nothing moves before somebody says yes."""
    giver = one_rep(visit, call.query, active=False)
    taker = one_rep(visit, call.to) if giver is not None else None
    if giver is None or taker is None:
        return
    bulk = commands.ask_bulk(visit.house, actor, giver.id, taker.id, call.reason)
    if isinstance(bulk, str):
        visit.tell(bulk)
        return
    which = f"the {MOST} oldest" if len(bulk.lead_ids) == MOST else f"all {len(bulk.lead_ids)}"
    text = f"Move {which} open leads of *{say(giver.name, 120)}* to *{say(taker.name, 120)}*?"
    visit.tell(f"Move {len(bulk.lead_ids)} leads?", bulks.offer(bulk.id, text))
