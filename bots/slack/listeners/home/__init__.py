"""App Home: opened, and its controls. What a control sets is a setting of the rep, changed by the same function as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final

from bots.slack import access, blocks, cards, names
from bots.slack.visit import Visit
from connector import commands
from connector.errors import Configuration
from connector.pipeline.homes import ask_home
from connector.pipeline.wishes import wishes_of
from leads.enums import EffectKind, Role

Clicked = Mapping[str, Any]
#: When a pause until tomorrow ends, in the rep's zone.
MORNING: Final = time(8, 0)


def opened(visit: Visit) -> None:
    """Somebody opened Home: from now on it is kept up to date."""
    actor = access.actor_of(visit.house, visit.api, visit.user)
    known = not isinstance(actor, str)
    visit.house.homes.opened(visit.user, actor.rep_id if known else None, actor.role if known else Role.UNKNOWN)  # type: ignore[union-attr]
    ask_home(visit.house, visit.user)


def handle(visit: Visit, clicked: Clicked) -> None:
    """Do what a control of Home asks for, then show what stands."""
    actor = access.admit(visit)
    if actor is None:
        return
    if actor.rep_id is None:
        visit.tell("Only reps have a queue and alerts of their own.")
        return
    if clicked.get("action_id") == names.SHOW:
        _show(visit, clicked)
        return
    changes = CONTROLS[str(clicked.get("action_id"))](visit, actor.rep_id, clicked)
    try:
        commands.set_rep(visit.house, actor.rep_id, changes, actor)
    except Configuration as error:
        visit.tell(f"That cannot be set: {error}")
        return
    if "digest_at" in changes or "mutes" in changes:
        _move_digest(visit, actor.rep_id)
    visit.house.homes.note(visit.user, shown="")
    ask_home(visit.house, visit.user)


def _show(visit: Visit, clicked: Clicked) -> None:
    """The lead in a window, since Home has no place for a message."""
    card = commands.card(visit.house, names.lead_id(clicked.get("value")) or 0)
    if card is None:
        visit.tell(access.GONE)
        return
    shown = [block for block in cards.lead_card(card, personal=True) if block["type"] != "actions"]
    visit.open_form({"type": "modal", "title": blocks.plain_text("Lead"), "close": blocks.plain_text("Close"), "blocks": shown})


def _pause_hour(visit: Visit, rep_id: str, clicked: Clicked) -> dict[str, Any]:
    return {"paused_until": (visit.house.clock.now() + timedelta(hours=1)).isoformat(timespec="seconds")}


def _pause_day(visit: Visit, rep_id: str, clicked: Clicked) -> dict[str, Any]:
    rep = visit.house.reps.get(rep_id)
    if rep is None:
        raise Configuration("There is no such rep.")
    zone = wishes_of(visit.house, rep).zone
    tomorrow = visit.house.clock.now().astimezone(zone).date() + timedelta(days=1)
    return {"paused_until": datetime.combine(tomorrow, MORNING, zone).isoformat(timespec="seconds")}


def _resume(visit: Visit, rep_id: str, clicked: Clicked) -> dict[str, Any]:
    return {"paused_until": None}


def _mutes(visit: Visit, rep_id: str, clicked: Clicked) -> dict[str, Any]:
    return {"mutes": [str(option["value"]) for option in clicked.get("selected_options") or ()] or None}


def _digest_at(visit: Visit, rep_id: str, clicked: Clicked) -> dict[str, Any]:
    return {"digest_at": clicked.get("selected_time")}


def _quiet_hours(visit: Visit, rep_id: str, clicked: Clicked) -> dict[str, Any]:
    return {"quiet_hours": (clicked.get("selected_option") or {}).get("value")}


def _move_digest(visit: Visit, rep_id: str) -> None:
    """A digest that waits goes out at the hour that was chosen now; one that is muted goes nowhere."""
    house = visit.house
    rep = house.reps.get(rep_id)
    if rep is None or house.settings.slack.digest_minutes is not None:
        return
    due = wishes_of(house, rep).next_digest(house.clock.now())
    with house.db.transaction():
        house.effects.move(EffectKind.SLACK_DIGEST, f"digest:{rep_id}", due)


CONTROLS: Final[Mapping[str, Callable[[Visit, str, Clicked], dict[str, Any]]]] = {
    names.HOME_PAUSE: _pause_hour,
    names.HOME_PAUSE_DAY: _pause_day,
    names.HOME_RESUME: _resume,
    names.HOME_MUTES: _mutes,
    names.HOME_DIGEST: _digest_at,
    names.HOME_QUIET: _quiet_hours,
}
