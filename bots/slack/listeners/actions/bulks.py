"""Deciding over many leads at once."""

from __future__ import annotations

from bots.slack import names
from bots.slack.blocks import Block, button, section
from bots.slack.client import NeedsMending, Refused
from bots.slack.text import say
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, Done
from connector.storage.bulks import Bulk


def offer(bulk_id: int, text: str, yes: str = names.BULK_YES, label: str = "Yes, move them") -> list[Block]:
    """What is to be moved, with the two ways to decide it."""
    value = str(bulk_id)
    buttons = [button(label, yes, value, "primary"), button("No", names.BULK_NO, value)]
    return [section(text), {"type": "actions", "block_id": f"bulk:{bulk_id}", "elements": buttons}]


def confirm(visit: Visit, actor: Actor, value: str) -> None:
    """Whoever asked is sure. A large one goes to the channel, for a second manager or an admin to approve."""
    bulk_id = names.lead_id(value) or 0
    asked = visit.house.bulks.get(bulk_id)
    done = commands.confirm_bulk(visit.house, bulk_id, actor)
    if done is not None:
        visit.report(done.text)
        return
    bulk = visit.house.bulks.get(bulk_id)
    count = len(bulk.lead_ids) if bulk else 0
    rep = visit.house.reps.get(bulk.rep_id) if bulk else None
    to = say(rep.name, 120) if rep else "another rep"
    reason = f" Reason: {say(bulk.reason, 300)}" if bulk and bulk.reason else ""
    text = f"<@{visit.user}> asks to move {count} leads to *{to}*.{reason}\nAnother manager or an admin has to approve it."
    blocks = offer(bulk_id, text, names.BULK_APPROVE, "Approve")
    metadata = {"event_type": names.REQUEST_EVENT, "event_payload": {"bulk_id": bulk_id}}
    try:
        channel = visit.api.channel_id(visit.house.settings.slack.channel)
        if asked is not None and asked.state == "waiting" and _is_posted(visit, channel, asked):
            visit.report("I have asked in the channel already: another manager or an admin has to approve it.")
            return
        visit.api.post(channel, f"Approval wanted: move {count} leads", blocks, metadata)
    except (Refused, NeedsMending) as error:
        commands.decline_bulk(visit.house, bulk_id, actor)
        visit.report(
            f"{count} leads need the approval of a second person, and I could not ask in the channel. {error} No lead moved."
        )
        return
    visit.report(f"{count} leads are many: I asked in the channel for the approval of another manager or an admin.")


def _is_posted(visit: Visit, channel: str, bulk: Bulk) -> bool:
    """Whether an earlier press, or a worker that died after it, has asked there already."""
    marker = {"bulk_id": bulk.id}
    return visit.api.find(channel, bulk.at.timestamp(), names.REQUEST_EVENT, marker) is not None


def approve(visit: Visit, actor: Actor, value: str) -> None:
    """A second person agrees."""
    _decided(visit, value, commands.approve_bulk(visit.house, names.lead_id(value) or 0, actor), "Approved")


def decline(visit: Visit, actor: Actor, value: str) -> None:
    """Nothing moves."""
    _decided(visit, value, commands.decline_bulk(visit.house, names.lead_id(value) or 0, actor), "Declined")


def _decided(visit: Visit, value: str, done: Done, word: str) -> None:
    """Say how it ended, in the place of the buttons too."""
    visit.report(done.text)
    if done.ok:
        metadata = {"event_type": names.REQUEST_EVENT, "event_payload": {"bulk_id": names.lead_id(value) or 0}}
        visit.settle(f"{word} by <@{visit.user}>. {say(done.text, 300)}", metadata)
