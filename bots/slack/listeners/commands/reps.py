"""`pause`, `resume`, `pto` and `caps`: whether and how many leads a rep gets. Reps for themselves, managers for everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bots.slack import access, forms, grammar
from bots.slack.dates import read_days, read_moment
from bots.slack.listeners.commands.people import find_reps, one_rep
from bots.slack.text import say, when
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor
from connector.errors import Configuration
from connector.pipeline.roster import moment_of
from connector.storage.reps import StoredRep
from leads.enums import Role

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

#: A pause without an end: until somebody resumes.
OPEN_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
DAY: Final = "{date_short_pretty}"
#: Words of a name that are looked for in front of a moment.
LONGEST_NAME: Final = 6


def pause(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """No new leads until a moment, or until somebody resumes."""
    rep, words = _of_whom(visit, actor, call, read_moment)
    if rep is None:
        return
    until = OPEN_END
    if words:
        try:
            until = read_moment(words, visit.house.clock.now(), visit.zone_for(rep))
        except ValueError as error:
            visit.tell(str(error))
            return
    end = f"until {when(until)}" if until != OPEN_END else "until somebody resumes"
    who = _who(actor, rep)
    text = f"{who} new leads {end}. Leads held already stay. `{visit.house.settings.slack.command} resume` ends it."
    change(visit, actor, rep, {"paused_until": until.isoformat()}, text, call.reason)


def resume(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """New leads again."""
    rep = _rep_of(visit, actor, call.query or call.when)
    if rep is None:
        return
    paused = rep.settings.get("paused_until")
    if not paused or moment_of(str(paused)) <= visit.house.clock.now():
        visit.tell(f"{_name(actor, rep)} not paused.")
        return
    change(visit, actor, rep, {"paused_until": None}, f"{_who(actor, rep, again=True)} new leads again.", call.reason)


def days_off(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """Days without new leads: typed, in a form, or all forgotten."""
    rep, words = _of_whom(visit, actor, call, read_days)
    if rep is None:
        return
    if words.lower() in ("clear", "none", "cancel"):
        change(visit, actor, rep, {"pto": None}, f"{say(rep.name, 120)} has no days off any more.", call.reason)
        return
    if not words:
        visit.open_form(forms.pto_form(rep.name, visit.private(rep_id=rep.id)))
        return
    try:
        begins, ends = read_days(words, visit.house.clock.now(), visit.zone_for(rep))
    except ValueError as error:
        visit.tell(str(error))
        return
    add_days_off(visit, actor, rep, begins, ends, call.reason)


def add_days_off(visit: Visit, actor: Actor, rep: StoredRep, begins: datetime, ends: datetime, reason: str = "") -> None:
    """Days off beside those that are known and not over; `ends` is the moment after the last day."""
    now = visit.house.clock.now()
    known = [span for span in rep.settings.get("pto") or () if datetime.fromisoformat(span[1]) > now]
    spans = sorted([*known, [begins.isoformat(), ends.isoformat()]])
    text = f"{_who(actor, rep)} new leads from {when(begins, DAY)} until {when(ends, DAY)}."
    change(visit, actor, rep, {"pto": spans}, text, reason)


def caps(visit: Visit, actor: Actor, call: grammar.Call) -> None:
    """What a rep holds and may hold; a manager sets it, by a number for the open leads or in a form."""
    words = call.when.strip()
    number = int(words) if words.isdecimal() and len(words) < 6 else None
    named = call.query or ("" if number is not None else words)
    if actor.may(Role.MANAGER) and (named or number is not None):
        rep = one_rep(visit, named) if named else _own(visit, actor)
        if rep is None:
            return
        if number is not None:
            change(visit, actor, rep, {"capacity": number}, f"{say(rep.name, 120)} may hold {number} open leads.")
        else:
            visit.open_form(forms.caps_form(rep.name, rep.settings, visit.private(rep_id=rep.id)))
        return
    if number is not None or (named and named.casefold() != "me"):
        visit.tell(access.MANAGERS_ONLY)
        return
    rep = _own(visit, actor)
    if rep is not None:
        visit.tell(_caps_of(visit, rep))


def _caps_of(visit: Visit, rep: StoredRep) -> str:
    held = visit.house.decisions.open_counts().get(rep.id, 0)
    said = [f"{label}: {rep.settings[cap]}" for cap, label in forms.CAPS.items() if rep.settings.get(cap) is not None]
    own = "\n".join(f"• {line}" for line in said) or "No caps of your own: the policy's hold."
    return f"You hold {held} open {'lead' if held == 1 else 'leads'}.\n{own}"


def allowed(visit: Visit, actor: Actor, rep_id: str) -> StoredRep | None:
    """The rep, if this person may change them now; None after telling why not."""
    rep = visit.house.reps.get(rep_id)
    if rep is None or not rep.active:
        visit.tell("That rep is not active any more. Nothing was changed.")
        return None
    if rep.id != actor.rep_id and not actor.may(Role.MANAGER):
        visit.tell(f"Only {say(rep.name, 120)}, a manager or an admin can do that.")
        return None
    return rep


def change(visit: Visit, actor: Actor, rep: StoredRep, changes: Mapping[str, Any], text: str, reason: str = "") -> None:
    """Set it and say so in a text that is escaped already; what may not be set so is told in one sentence."""
    try:
        commands.set_rep(visit.house, rep.id, changes, actor, reason or None)
    except Configuration as error:
        visit.tell(f"That cannot be set: {say(str(error), 300)}")
        return
    visit.report(text, safe=True)


def _of_whom(
    visit: Visit, actor: Actor, call: grammar.Call, read: Callable[[str, datetime, ZoneInfo], object]
) -> tuple[StoredRep | None, str]:
    """The rep who is meant and the words that are left for the moment. What reads as a moment is one ("mon"); else the words in
    front that name a rep do so."""
    if call.query:
        return _rep_of(visit, actor, call.query), call.when
    try:
        read(call.when, visit.house.clock.now(), visit.zone)
    except ValueError:
        name, rest = _named(visit, call.when)
        return (_rep_of(visit, actor, name), rest) if name else (_own(visit, actor), call.when)
    return _own(visit, actor), call.when


def _named(visit: Visit, text: str) -> tuple[str, str]:
    """The most words in front that fit an active rep, and the words after them."""
    reps, words = [rep for rep in visit.house.reps.all() if rep.active], text.split()
    for count in range(min(len(words), LONGEST_NAME), 0, -1):
        if find_reps(reps, " ".join(words[:count])):
            return " ".join(words[:count]), " ".join(words[count:])
    return "", text


def _rep_of(visit: Visit, actor: Actor, wanted: str) -> StoredRep | None:
    if not wanted or wanted.casefold() == "me":
        return _own(visit, actor)
    rep = one_rep(visit, wanted)
    return allowed(visit, actor, rep.id) if rep is not None else None


def _own(visit: Visit, actor: Actor) -> StoredRep | None:
    rep = visit.house.reps.get(actor.rep_id) if actor.rep_id else None
    if rep is None:
        visit.tell("You are no rep in the CRM: name the rep, by a mention, an e-mail address or a name.")
    return rep


def _who(actor: Actor, rep: StoredRep, *, again: bool = False) -> str:
    """`You get no` or `Ada Rep gets no`; `again` without the no."""
    mine, none = rep.id == actor.rep_id, "" if again else " no"
    return f"You get{none}" if mine else f"{say(rep.name, 120)} gets{none}"


def _name(actor: Actor, rep: StoredRep) -> str:
    return "You are" if rep.id == actor.rep_id else f"{say(rep.name, 120)} is"
