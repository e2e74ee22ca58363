"""The weekly leaderboard in Slack: who took leads on how quickly, what became of them, and how right the scores were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bots.slack import names
from bots.slack.blocks import Block, context, header, section
from bots.slack.home import bar
from bots.slack.sender import Sender
from bots.slack.shared import since
from bots.slack.text import lasting, say
from connector.errors import Skippable
from connector.pipeline import overview
from leads.enums import Tier

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.pipeline.overview import Accuracy, Standing
    from connector.storage.effects import Effect

TEXT: Final = "The week in leads"
#: Reps a post names; each has a section, and Slack takes 50 blocks.
NAMED: Final = 20


class Board:
    """Posts it. Safe to share between threads."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str | None:
        """Post the week's leaderboard once; returns `channel:ts`."""
        channel = self._sender.channel(house, f"channel:{effect.payload['channel']}")
        marker = {"week": str(effect.payload["week"])}
        if in_doubt and (sent := self._sender.api.find(channel, since(effect), names.BOARD_EVENT, marker)) is not None:
            return f"{channel}:{sent[0]}"
        now = house.clock.now()
        standings = overview.leaderboard(house, now)
        if not standings:
            raise Skippable("Nobody was offered a lead this week.")
        shown = board(standings, overview.accuracy(house, now))
        metadata = {"event_type": names.BOARD_EVENT, "event_payload": marker}
        posted, ts = self._sender.post(house, effect, channel, TEXT, shown, metadata)
        return f"{posted}:{ts}"


def board(standings: list[Standing], scores: Accuracy) -> list[Block]:
    """The post: the quickest first."""
    more = len(standings) - NAMED
    return [
        header(TEXT),
        *(section(_rep(place, one)) for place, one in enumerate(standings[:NAMED], 1)),
        *([context(f"and {more} more")] if more > 0 else []),
        section("*How right the scores were*\n" + _scores(scores)),
        context("Speed is the median time to accept, of the last 7 days; wins are of the last 90. Leave it in App Home."),
    ]


def _rep(place: int, one: Standing) -> str:
    speed = f"accepts in *{lasting(one.speed_s)}*" if one.speed_s is not None else "accepted none yet"
    accepted = f"{bar(one.acceptance or 0.0, 10)} {one.accepted} of {one.offered} accepted" if one.offered else "no new leads"
    ended = f"\n{one.won} won of {one.ended} that ended; {one.expected:.1f} expected by their scores" if one.ended else ""
    return f"{place}. *{say(one.name, 80)}* · {speed} · {accepted}{ended}"


def _scores(scores: Accuracy) -> str:
    """Each tier's wins, and the error of the probabilities beside that of always saying the average."""
    if scores.brier is None or scores.base is None:
        return "No lead that was scored has ended yet."
    tiers = [
        f"Tier {tier.value.upper()}: {won} of {ended} won ({round(100 * won / ended)}%)"
        for tier, (won, ended) in sorted(scores.tiers.items())
        if tier is not Tier.UNKNOWN
    ]
    better = "better" if scores.brier < scores.base else "no better"
    error = f"Error of the probabilities {scores.brier:.3f}, {better} than always saying the average ({scores.base:.3f})"
    return "\n".join([*tiers, f"{error}, over {scores.ended} leads."])
