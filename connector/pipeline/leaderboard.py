"""The weekly leaderboard: asked for once a week, at the moment and in the channel of the settings; without a channel, never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connector.pipeline.alerts import SLACK
from connector.pipeline.wishes import parse_weekly
from leads.enums import EffectKind

if TYPE_CHECKING:
    from connector.bootstrap import House

ASKED = "leaderboard:asked"
#: A post that was due while nothing ran is still made for so long; later it would be last week's news.
LATE = timedelta(days=1)


def last_moment(now: datetime, weekly: str) -> datetime:
    """The last moment at or before `now` that "mon 09:00" (UTC) names."""
    weekday, hour = parse_weekly(weekly)
    day = now.astimezone(UTC).date() - timedelta(days=(now.astimezone(UTC).weekday() - weekday) % 7)
    moment = datetime.combine(day, hour, UTC)
    return moment if moment <= now else moment - timedelta(days=7)


def ask_leaderboard(house: House) -> bool:
    """Ask for this week's post if its moment has come and nobody has asked yet; true when asked."""
    slack, now = house.settings.slack, house.clock.now()
    if not (slack.leaderboard_channel and house.slack_configured):
        return False
    moment = last_moment(now, slack.leaderboard_at)
    week = moment.strftime("%G-W%V")
    if now - moment > LATE or house.cells.get(ASKED) == week:
        return False
    with house.db.transaction():
        house.cells.set(ASKED, week)
        payload = {"channel": slack.leaderboard_channel, "week": week}
        house.effects.add(EffectKind.SLACK_BOARD, SLACK, f"leaderboard:{week}", None, payload)
        house.db.after_commit(lambda: house.queue.ring_deliver(SLACK))
    return True
