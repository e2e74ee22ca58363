"""What people set for a rep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allocation.hours import zone_of
from connector.bootstrap import House
from connector.commands.people import Actor, Done
from connector.errors import Configuration
from connector.pipeline.roster import check_setting
from connector.storage.reps import StoredRep
from leads.enums import Role


def set_rep(house: House, rep_id: str, changes: Mapping[str, Any], actor: Actor, reason: str | None = None) -> StoredRep:
    """Change what people may set for a rep; None takes a setting back. Raises `Configuration` naming the field."""
    for name, value in changes.items():
        try:
            check_setting(name, value)
        except ValueError as error:
            raise Configuration(f"{name}: {error}.") from None
    with house.db.transaction():
        before = house.reps.get(rep_id)
        back = {"silent_since": None} if {"paused_until", "active"} & changes.keys() else {}  # a person has said how it is
        after = house.reps.set(rep_id, {**changes, **back}) if before else None
        if before is None or after is None:
            raise Configuration("There is no such rep.", "See `leadswitch reps list`.")
        was = {name: before.settings.get(name) for name in changes}
        house.inbox.finish_with_deed()
        house.acts.add(actor.label, "set", rep_id=rep_id, before=was, after=changes)
        detail = {"before": was, "after": dict(changes)}
        house.audit.add(actor.label, "rep.set", f"rep:{rep_id}", said=reason or "", detail=detail)
        return after


def set_calendar(house: House, rep_id: str, ics: bytes, actor: Actor, *, every: bool = False) -> StoredRep:
    """Take a rep's absences from an iCalendar file, in place of those of an earlier file; what was set by hand stays.

    Raises `Configuration` when it cannot be read.
    """
    from connector.calendars import read_absences  # only this needs the library

    rep = house.reps.get(rep_id)
    zone = str(rep.settings.get("timezone") or "") if rep else ""
    try:
        found = read_absences(ics, house.clock.now(), zone_of(zone or house.policy.calendar.zone), every=every)
    except ValueError as error:
        raise Configuration(f"calendar: {error}.") from None
    absences = [[start.isoformat(), end.isoformat()] for start, end in found.intervals]
    return set_rep(house, rep_id, {"calendar": absences or None}, actor, f"calendar imported, {found.left_out} events left out")


def link_rep(house: House, rep_id: str, slack_user_id: str, actor: Actor) -> Done:
    """An admin says which Slack user a rep is. Both have to be free still: the request may be an old one."""
    if not actor.may(Role.ADMIN):
        return Done(False, "Only admins can link a Slack user to a rep.")
    with house.db.transaction():
        rep = house.reps.get(rep_id)
        if rep is None or not rep.active:
            return Done(False, "That rep is not active: nobody was linked.")
        if rep.slack_user_id == slack_user_id:
            return Done(True, f"{rep.name} is linked already.")
        if rep.slack_user_id is not None:
            return Done(False, f"{rep.name} is linked to somebody else meanwhile: nobody was linked.")
        if (other := house.reps.by_slack(slack_user_id)) is not None:
            return Done(False, f"That person is linked to {other.name} meanwhile: nobody was linked.")
        before = {"slack_user_id": None}
        house.reps.link_slack(rep.id, slack_user_id)
        after = {"slack_user_id": slack_user_id}
        house.audit.add(actor.label, "rep.linked", f"rep:{rep_id}", detail={"before": before, "after": after})
        return Done(True, f"{rep.name} is linked.")


def unlink_rep(house: House, rep_id: str, actor: Actor, said: str = "") -> Done:
    """An admin takes the link to a Slack user away. Whoever has the e-mail address of the rep is linked again when they next act;
    anybody else has to ask."""
    if not actor.may(Role.ADMIN):
        return Done(False, "Only admins can unlink a rep.")
    with house.db.transaction():
        rep = house.reps.get(rep_id)
        if rep is None:
            return Done(False, "There is no such rep.")
        if rep.slack_user_id is None:
            return Done(True, f"{rep.name} is linked to nobody.")
        house.reps.unlink_slack(rep.id)
        detail = {"before": {"slack_user_id": rep.slack_user_id}, "after": {"slack_user_id": None}}
        house.audit.add(actor.label, "rep.unlinked", f"rep:{rep_id}", said=said, detail=detail)
        return Done(True, f"{rep.name} is linked to nobody any more.")
