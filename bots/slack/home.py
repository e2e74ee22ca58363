"""App Home: a rep's queue, share and wishes; a manager's unassigned leads, breaches, fairness and leaderboard; an admin's failures.

Who sees what is decided by the role that the person has when the view is made. Charts are bars of block characters, which Slack
draws everywhere. A view has at most 100 blocks: https://docs.slack.dev/surfaces/app-home
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from bots.slack import access, blocks, names
from bots.slack.answers import errors_line
from bots.slack.blocks import Block, button, context, header, plain_text, section
from bots.slack.client import SlackApi
from bots.slack.text import fit, lasting, say, when
from connector import commands
from connector.pipeline import overview
from connector.pipeline.roster import moment_of
from connector.pipeline.wishes import MUTES, NO_QUIET, wishes_of
from leads.enums import Role

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.commands import Actor
    from connector.pipeline.overview import Share, Standing
    from connector.storage.effects import Effect
    from connector.storage.standings import Queued

QUEUE, LISTED, BOARD, MAX_BLOCKS = 15, 10, 10, 100
#: Quiet hours that can be chosen with one click; others can be set by command.
QUIET_HOURS: Final = ("18:00-08:00", "20:00-08:00", "22:00-07:00")


class HomeTab:
    """Publishes views. Safe to share between threads."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Show a user their Home as it stands; returns what was done. Publishing the same view twice does no harm."""
        user = str(effect.payload["user"])
        viewer = house.homes.get(user)
        if viewer is None:
            return "nobody looks"
        view = home(house, access.actor_of(house, self._api, user), house.clock.now())
        digest = hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()
        if digest == viewer.shown:
            return "equal"
        self._api.publish_home(user, view)
        house.homes.note(user, shown=digest)
        return "published"


def home(house: House, actor: Actor | str, now: datetime) -> dict[str, Any]:
    """The view of one person; for somebody whom we do not know the sentence that says so."""
    if isinstance(actor, str):
        return {"type": "home", "blocks": [section(actor)]}
    parts: list[Block] = []
    if actor.rep_id is not None:
        parts += _rep(house, actor.rep_id, now)
    if actor.may(Role.MANAGER):
        parts += _manager(house, now)
    if actor.may(Role.ADMIN):
        parts += _admin(house)
    return {"type": "home", "blocks": parts[:MAX_BLOCKS]}


def bar(part: float, width: int = 20) -> str:
    """A share of 0–1 as a bar."""
    full = round(min(max(part, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)


# ---- rep


def _rep(house: House, rep_id: str, now: datetime) -> list[Block]:
    queue = house.standings.queue(rep_id, QUEUE + 1)
    held = house.decisions.open_counts().get(rep_id, 0)
    shown = [line for one in queue[:QUEUE] if (line := _queued(house, one, now)) is not None]
    more = [context(f"and {held - QUEUE} more, with lower scores")] if len(queue) > QUEUE else []
    empty = [] if shown else [section("Nothing waits for you.")]
    share = next((one for one in overview.shares(house, now) if one.rep_id == rep_id), None)
    return [
        header(f"Your queue ({held})"),
        *shown,
        *more,
        *empty,
        *([section(f"*Your share of the last 7 days*\n{_share(share, 'your team')}")] if share else []),
        {"type": "divider"},
        *_wishes(house, rep_id, now),
    ]


def _queued(house: House, one: Queued, now: datetime) -> Block | None:
    """A lead of the queue with its clock; None when it is gone."""
    card = commands.card(house, one.lead_id)
    if card is None:
        return None
    score = "not scored" if one.score is None else str(one.score)
    place = f", {say(card.company, 100)}" if card.company else ""
    if one.due_at is not None:
        clock = f"overdue since {when(one.due_at)}" if one.due_at <= now else f"due {when(one.due_at)}"
    else:
        clock = f"yours since {when(one.opened_at)}"
    standing = "accepted" if one.accepted_at else "*not accepted yet*"
    words = f"*{blocks.tier_name(one.tier)} {score}* · {say(card.name, 120)}{place}\n{standing} · {clock}"
    value = str(one.lead_id)
    return section(
        words, button("Show", names.SHOW, value) if one.accepted_at else button("Accept", names.ACCEPT, value, "primary")
    )


def _share(share: Share, team: str) -> str:
    part, fair = round(share.part * 100), round(share.fair * 100)
    return f"{bar(share.part)} {share.taken} of {share.pool} of {team} ({part}%), by weight {fair}%"


def _wishes(house: House, rep_id: str, now: datetime) -> list[Block]:
    rep = house.reps.get(rep_id)
    if rep is None:
        return []
    wishes = wishes_of(house, rep)
    until = rep.settings.get("paused_until")
    paused = moment_of(str(until)) if until else None
    away = paused is not None and paused > now
    state = f"You are *paused* until {when(paused)}." if away and paused else "You *get leads*."
    pauses = [button("Pause for an hour", names.HOME_PAUSE, "1h"), button("Pause until tomorrow", names.HOME_PAUSE_DAY, "1d")]
    toggle = [button("Get leads again", names.HOME_RESUME, "now", "primary")] if away else pauses
    options = [{"text": plain_text(fit(words, 75)), "value": word} for word, words in MUTES.items()]
    muted = [option for option in options if option["value"] in wishes.mutes]
    mutes = {"type": "checkboxes", "action_id": names.HOME_MUTES, "options": options}
    hour = {"type": "timepicker", "action_id": names.HOME_DIGEST, "initial_time": wishes.digest_at.strftime("%H:%M")}
    chosen = str(rep.settings.get("quiet_hours", house.settings.slack.quiet_hours)) or NO_QUIET
    quiet = [{"text": plain_text(hours), "value": hours} for hours in dict.fromkeys((NO_QUIET, *QUIET_HOURS, chosen))]
    select = {"type": "static_select", "action_id": names.HOME_QUIET, "options": quiet}
    return [
        header("Availability and alerts"),
        section(state),
        {"type": "actions", "block_id": "home_availability", "elements": toggle},
        section("*Do not tell me about*"),
        {"type": "actions", "block_id": "home_mutes", "elements": [mutes | ({"initial_options": muted} if muted else {})]},
        section("*Digest at*", hour),
        section("*Quiet hours*", select | {"initial_option": next(one for one in quiet if one["value"] == chosen)}),
        context(f"Hours are yours, in {wishes.zone.key}. Hot leads cannot be muted."),
    ]


# ---- manager


def _manager(house: House, now: datetime) -> list[Block]:
    waiting = house.waiting.all(LISTED)
    lines = [_waiting(house, one.lead_id, one.since) for one in waiting]
    breaches = house.standings.breaches(now - overview.WEEK)
    rep_names = house.reps.names()
    missed = [f"{say(rep_names.get(rep, 'Somebody'), 80)}: {count}" for rep, count in breaches.most_common(LISTED)]
    spread = overview.shares(house, now)[:LISTED]
    board = [_line(place, one) for place, one in enumerate(overview.leaderboard(house, now)[:BOARD], 1)]
    return [
        header(f"Unassigned ({house.waiting.count()})"),
        section("\n".join(line for line in lines if line) or "Every lead has an owner."),
        header(f"Missed deadlines, 7 days ({sum(breaches.values())})"),
        section("\n".join(missed) or "None."),
        header("Fairness, 7 days"),
        section("\n".join(f"{say(one.name, 60)}\n{_share(one, 'their team')}" for one in spread) or "No reps yet."),
        context("Those farthest from their part by weight come first."),
        header("Leaderboard"),
        section("\n".join(board) or "Nobody was offered a lead in the last 7 days."),
    ]


def _waiting(house: House, lead_id: int, since: datetime) -> str:
    card = commands.card(house, lead_id)
    if card is None:
        return ""
    return f"*{blocks.tier_name(card.tier)} {card.score if card.score is not None else ''}* · {say(card.name, 100)}, {when(since)}"


def _line(place: int, one: Standing) -> str:
    """One rep on the leaderboard."""
    accepted = f"{one.accepted} of {one.offered} accepted" if one.offered else "no new leads"
    speed = f"accepts in {lasting(one.speed_s)} · " if one.speed_s is not None else ""
    ended = f" · {one.won} won of {one.ended}, expected {one.expected:.1f}" if one.ended else ""
    return f"{place}. *{say(one.name, 80)}*: {speed}{accepted}{ended}"


# ---- admin


def _admin(house: House) -> list[Block]:
    found = overview.failures(house)
    letters = [f"{when(at)} · {say(queue, 60)}: {say(error, 200)}" for queue, error, at in found.letters]
    waits = [f"{say(place, 60)}: {count}" for place, count in found.on_its_way.items()]
    figures = [f"{name} {value:.3f}" for name, value in found.metrics.items() if isinstance(value, float)][:6]
    return [
        header(f"Failures ({found.letters_open})"),
        section("\n".join(letters) or "Nothing was given up."),
        context("Replay or drop them with `leadswitch deadletters`." if letters else "Dead letters appear here."),
        section("*On its way out*\n" + ("\n".join(waits) or "Nothing.")),
        section(f"*Model* {say(found.model, 80)}" + (f"\n{', '.join(figures)}" if figures else "")),
        section(f"*Policy* {say(found.policy, 120)}"),
        section(errors_line(found.errors)),
    ]
