"""Forms about one rep: days off and caps."""

from __future__ import annotations

from bots.slack import access, forms, names
from bots.slack.dates import read_days
from bots.slack.listeners.commands import reps
from bots.slack.listeners.views.fields import Fields
from bots.slack.text import say
from bots.slack.visit import Visit
from connector.commands import Actor
from leads.enums import Role


def take_days_off(visit: Visit, actor: Actor, rep_id: str, fields: Fields) -> None:
    """Add days off."""
    rep = reps.allowed(visit, actor, rep_id)
    if rep is None:
        return
    first, last = fields.date(names.FIRST_DAY), fields.date(names.LAST_DAY)
    try:
        begins, ends = read_days(f"{first} to {last}", visit.house.clock.now(), visit.zone_for(rep))
    except ValueError as error:
        visit.tell(f"{error} Nothing was changed: please open the form again.")
        return
    reps.add_days_off(visit, actor, rep, begins, ends)


def set_caps(visit: Visit, actor: Actor, rep_id: str, fields: Fields) -> None:
    """Set a rep's caps; an empty field takes one back."""
    if not actor.may(Role.MANAGER):
        visit.tell(access.MANAGERS_ONLY)
        return
    rep = reps.allowed(visit, actor, rep_id)
    if rep is None:
        return
    caps: dict[str, int | None] = {}
    for cap in forms.CAPS:
        text = fields.written(cap)
        if text and not text.isdecimal():
            visit.tell(f"{forms.CAPS[cap]}: write a whole number, or nothing. Nothing was changed.")
            return
        caps[cap] = int(text) if text else None
    reps.change(visit, actor, rep, caps, f"{say(rep.name, 120)}'s caps are set.")
