"""Which cards a lead has, and where: hot leads as a direct message and in the channel, warm ones as a direct message unless the rep
muted them, the rest in the rep's digest. A card that exists is edited for as long as it stands.

Beyond so many cards in a channel within some minutes further hot leads share one message there, the roundup: each is still named,
and its rep still gets a card of their own.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from connector.bootstrap import House
from connector.pipeline.threads import ask_threads
from connector.pipeline.wishes import wishes_of
from connector.storage.cards import Card
from leads.enums import EffectKind, Tier
from leads.results import Score

HOT, WARM = (Tier.A,), (Tier.B,)
SLACK = "slack"
#: What the place of a lead that is named in a shared message begins with; the rest is the rep, or the channel.
DIGEST, ROUNDUP, DEADLINES = "digest:", "roundup:", "sla:"
#: And that of the reminder of a lead without a card, which stands alone.
BACK: Final = "back:"
#: How long a shared message gathers changes before it is posted or edited.
GATHER_S = 5.0


def destinations(house: House, tier: Tier, rep_id: str | None) -> list[str]:
    """Where a lead of this tier is announced: "dm:<rep>" and "channel:<name>". A hot lead that nobody holds goes to the common
    channel: somebody has to see it."""
    if tier in HOT:
        return [f"dm:{rep_id}", f"channel:{channel_of(house, rep_id)}"] if rep_id else [f"channel:{house.settings.slack.channel}"]
    if tier in WARM and rep_id and not has_muted(house, rep_id, "warm"):
        return [f"dm:{rep_id}"]
    return []


def has_muted(house: House, rep_id: str, what: str) -> bool:
    """Whether the rep does not want to hear of this; see `connector.pipeline.wishes.MUTES`."""
    rep = house.reps.get(rep_id)
    return rep is not None and what in (rep.settings.get("mutes") or ())


def channel_of(house: House, rep_id: str) -> str:
    """The channel of the rep's team, else the common one."""
    slack = house.settings.slack
    rep = house.reps.get(rep_id)
    team = rep.team if rep else ""
    return slack.channels.get(team, slack.channel)


def is_news(house: House, score: Score, shown: int | None, shown_tier: Tier) -> bool:
    """Whether a score moved enough to be written back and shown again; less would only make noise."""
    return shown is None or shown_tier is not score.tier or abs(shown - score.score) >= house.settings.write_back.min_score_change


def ask_cards(house: House, lead_id: int, tier: Tier, rep_id: str | None) -> bool:
    """Ask, within the caller's transaction, that the lead's cards show how it stands. True when anything was asked."""
    if not house.slack_configured:
        return False
    known = sorted(house.cards.of_lead(lead_id), key=lambda card: card.destination)
    told = {card.destination for card in known}
    for card in known:
        if card.destination.startswith(ROUNDUP):
            ask_roundup(house, card.destination.removeprefix(ROUNDUP), lead_id)
        elif card.destination.startswith((DIGEST, DEADLINES)) or (card.destination.startswith(BACK) and _is_erased(house, lead_id)):
            _ask_redraw(house, card)
    standing = [card.destination for card in known if not card.destination.startswith((ROUNDUP, DIGEST, DEADLINES, BACK))]
    new = [place for place in destinations(house, tier, rep_id) if place.replace("channel:", ROUNDUP, 1) not in told]
    wanted = list(dict.fromkeys([*standing, *new]))
    for destination in wanted:
        subject = f"card:{lead_id}:{destination}"
        if not house.effects.add(EffectKind.SLACK_CARD, SLACK, subject, lead_id, {"destination": destination}) and tier in HOT:
            house.effects.hasten(EffectKind.SLACK_CARD, subject)  # it may have waited for the end of quiet hours
    if rep_id is not None and f"dm:{rep_id}" not in wanted and f"digest:{rep_id}" not in told:
        ask_digest(house, rep_id)
    ask_threads(house, lead_id, rep_id)
    return bool(wanted or told) or rep_id is not None


def ask_digest(house: House, rep_id: str) -> None:
    """One digest a rep is pending at a time; what it lists is looked up when it is sent."""
    rep = house.reps.get(rep_id)
    if rep is None or has_muted(house, rep_id, "digest"):
        return
    now, minutes = house.clock.now(), house.settings.slack.digest_minutes
    due = wishes_of(house, rep).next_digest(now) if minutes is None else now + timedelta(minutes=minutes)
    house.effects.add(EffectKind.SLACK_DIGEST, SLACK, f"digest:{rep_id}", None, {"rep_id": rep_id}, due_at=due)


def _is_erased(house: House, lead_id: int) -> bool:
    lead = house.leads.get(lead_id)
    return lead is None or lead.erased


def _ask_redraw(house: House, card: Card) -> None:
    """Ask that a message which names the lead among others show what holds now; what changes meanwhile shares the edit."""
    message = {"place": card.destination, "channel": card.channel, "ts": card.ts}
    due = house.clock.now() + timedelta(seconds=GATHER_S)
    house.effects.add(EffectKind.SLACK_REDRAW, SLACK, f"{card.destination}:{card.ts}", None, message, due_at=due)


def ask_roundup(house: House, channel: str, lead_id: int) -> None:
    """Ask, within a transaction of its own, that a lead be named, as it stands now, in the channel's shared message."""
    with house.db.transaction():
        known = house.cards.get(lead_id, ROUNDUP + channel)
        named = replace(known, digest="") if known else Card(lead_id, ROUNDUP + channel, "", "", "")
        house.cards.save(named)
        due = house.clock.now() + timedelta(seconds=GATHER_S)
        house.effects.add(EffectKind.SLACK_ROUNDUP, SLACK, f"{ROUNDUP}{channel}", None, {"channel": channel}, due_at=due)
