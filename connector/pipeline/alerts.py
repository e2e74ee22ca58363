"""Which cards a lead has, and where: hot leads as a direct message and in the channel, warm ones as a direct message, the rest
in the rep's digest. A card that exists is edited for as long as it stands."""

from __future__ import annotations

from datetime import timedelta

from connector.bootstrap import House
from leads.enums import EffectKind, Tier
from leads.results import Score

HOT, WARM = (Tier.A,), (Tier.B,)
SLACK = "slack"


def destinations(house: House, tier: Tier, rep_id: str | None) -> list[str]:
    """Where a lead of this tier is announced: "dm:<rep>" and "channel:<name>"."""
    if rep_id is None:
        return []
    direct = f"dm:{rep_id}"
    if tier in HOT:
        return [direct, f"channel:{channel_of(house, rep_id)}"]
    return [direct] if tier in WARM else []


def channel_of(house: House, rep_id: str) -> str:
    """The channel of the rep's team, else the common one."""
    slack = house.settings.slack
    rep = house.reps.get(rep_id)
    team = str(rep.settings.get("team", "")) if rep else ""
    return slack.channels.get(team, slack.channel)


def is_news(house: House, score: Score, shown: int | None, shown_tier: Tier) -> bool:
    """Whether a score moved enough to be written back and shown again; less would only make noise."""
    return shown is None or shown_tier is not score.tier or abs(shown - score.score) >= house.settings.write_back.min_score_change


def ask_cards(house: House, lead_id: int, tier: Tier, rep_id: str | None) -> bool:
    """Ask, within the caller's transaction, that the lead's cards show how it stands. True when anything was asked."""
    if not house.slack_configured:
        return False
    told = {card.destination for card in house.cards.of_lead(lead_id)}
    standing = [place for place in sorted(told) if not place.startswith("digest:")]
    wanted = list(dict.fromkeys([*standing, *destinations(house, tier, rep_id)]))
    for destination in wanted:
        house.effects.add(EffectKind.SLACK_CARD, SLACK, f"card:{lead_id}:{destination}", lead_id, {"destination": destination})
    if rep_id is not None and f"dm:{rep_id}" not in wanted and f"digest:{rep_id}" not in told:
        _ask_digest(house, rep_id)
    return bool(wanted) or rep_id is not None


def _ask_digest(house: House, rep_id: str) -> None:
    """One digest a rep is pending at a time; what it lists is looked up when it is sent."""
    due = house.clock.now() + timedelta(minutes=house.settings.slack.digest_minutes)
    house.effects.add(EffectKind.SLACK_DIGEST, SLACK, f"digest:{rep_id}", None, {"rep_id": rep_id}, due_at=due)
