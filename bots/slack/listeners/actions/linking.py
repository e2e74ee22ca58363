"""Linking a Slack user to a rep, where the e-mail address does not tell: the person says who they are, an admin agrees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from bots.slack import access, forms, names
from bots.slack.blocks import Block, button, section
from bots.slack.client import NeedsMending, Refused
from bots.slack.text import say
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor
from connector.storage.reps import StoredRep
from leads.enums import Role

USER_ID: Final = re.compile(r"[UW][A-Z0-9]{2,20}")


def ask(visit: Visit) -> None:
    """Open the form in which somebody unlinked says who they are."""
    who = access.actor_of(visit.house, visit.api, visit.user)
    if not isinstance(who, str) and who.rep_id is not None:
        visit.tell("You are linked already.")
        return
    reps = [(rep.id, rep.name) for rep in _unlinked(visit)]
    if not reps:
        visit.tell("Every active rep is linked to somebody already. Ask an admin to look at it.")
        return
    visit.open_form(forms.link_form(reps, visit.private()))


def request(visit: Visit, rep_id: str) -> None:
    """Ask the admins whether this Slack user is that rep."""
    rep = next((rep for rep in _unlinked(visit) if rep.id == rep_id), None)
    if rep is None:
        visit.tell("That rep is linked to somebody already, or not active. Nothing was changed.")
        return
    text = f"<@{visit.user}> says they are *{say(rep.name, 120)}* in the CRM. Link them? From then on they act as that rep."
    metadata = {"event_type": names.REQUEST_EVENT, "event_payload": {"rep_id": rep.id}}
    told = 0
    for admin in dict.fromkeys(_admins(visit)):
        try:
            visit.api.post(visit.api.open_dm(admin), "Somebody asks to be linked", _question(text, rep.id, visit.user), metadata)
            told += 1
        except (Refused, NeedsMending):
            continue  # this admin cannot be reached; another may be
    if told:
        visit.report("I asked the admins. You can act as soon as one of them agrees.")
    else:
        visit.report(
            "I know no admin in Slack to ask. Ask whoever runs Leadswitch to name one in slack.admins or slack.admin_groups."
        )


def approve(visit: Visit, actor: Actor, value: str) -> None:
    """An admin agrees."""
    rep_id, _, user = value.partition("/")
    if not USER_ID.fullmatch(user):
        visit.tell("This request cannot be read any more. Ask the person to press the button again.")
        return
    if not actor.may(Role.ADMIN):
        visit.tell(access.ADMINS_ONLY)
        return
    done = commands.link_rep(visit.house, rep_id, user, actor)
    visit.report(done.text)
    if done.ok:
        visit.settle(say(done.text, 300), {"event_type": names.REQUEST_EVENT, "event_payload": {"rep_id": rep_id}})


def decline(visit: Visit, actor: Actor, value: str) -> None:
    """An admin does not: nothing changes."""
    if not actor.may(Role.ADMIN):
        visit.tell(access.ADMINS_ONLY)
        return
    visit.tell("Declined. Nobody was linked.")
    rep_id = value.partition("/")[0]
    visit.settle("Declined: nobody was linked.", {"event_type": names.REQUEST_EVENT, "event_payload": {"rep_id": rep_id}})


def _unlinked(visit: Visit) -> list[StoredRep]:
    """Active reps whom no Slack user is linked to, by name."""
    reps = [rep for rep in visit.house.reps.all() if rep.active and rep.slack_user_id is None]
    return sorted(reps, key=lambda rep: rep.name.casefold())


def _admins(visit: Visit) -> Iterator[str]:
    """The Slack users of the admins that the settings name, alone or by a user group."""
    slack = visit.house.settings.slack
    for group in slack.admin_groups:
        try:
            yield from sorted(visit.api.group(group))
        except NeedsMending:
            continue
    for named in slack.admins:
        if "@" not in named:
            yield named
            continue
        try:
            yield visit.api.user_by_email(named)
        except (Refused, NeedsMending):
            continue


def _question(text: str, rep_id: str, user: str) -> list[Block]:
    value = f"{rep_id}/{user}"
    buttons = [button("Link them", names.LINK_YES, value, "primary"), button("No", names.LINK_NO, value)]
    return [section(text), {"type": "actions", "block_id": f"link:{rep_id}", "elements": buttons}]
