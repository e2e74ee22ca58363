"""Scores of long ago: cleared away bit by bit, but for those that stand and those that a decision rests on."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from connector.bootstrap import House

log = structlog.get_logger(__name__)

#: Scores that one turn drops, so that the clock is never held up for long.
A_TURN: Final = 2_000


def forget_old_scores(house: House) -> int:
    """Drop scores older than `scoring.keep_scores_days`; returns how many went."""
    days = house.settings.scoring.keep_scores_days
    if not days:
        return 0
    gone = house.scores.forget(house.clock.now() - timedelta(days=days), A_TURN)
    if gone:
        log.info("old scores dropped", scores=gone, days=days)
    return gone
