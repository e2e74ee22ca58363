"""Whose turn it is to post in a channel. Slack allows about one message a second there, all workers together, in short bursts.

The shared bucket says whether there is room now. Whoever finds none is promised a moment of their own, one after another, so that
a backlog of a hundred cards wakes up one by one and not a hundred times a second, and newcomers queue behind it.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

from connector.errors import Retriable

if TYPE_CHECKING:
    from connector.bootstrap import House

#: https://docs.slack.dev/apis/web-api/rate-limits
BURST: Final = 3
REFILL_S: Final = 3.0
TURN_S: Final = REFILL_S / BURST
#: Promises to effects that never came back (their card was up to date meanwhile) are forgotten after so long.
FORGET_S: Final = 600.0
MANY: Final = 5_000
#: A delayed row can come back a little before its moment.
EARLY_S: Final = 0.1


class Pace:
    """The turns of this process, over the bucket that all processes share. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}  # channel → the last moment promised
        self._promised: dict[int, float] = {}  # effect → its moment

    def wait_for_turn(self, house: House, channel: str, effect_id: int) -> None:
        """Returns when the message may be posted now; else raises `Retriable` with the seconds until its turn."""
        now = house.clock.now().timestamp()
        with self._lock:
            mine = self._promised.get(effect_id)
            if mine is None and self._last.get(channel, 0.0) > now:
                mine = self._promise(channel, effect_id, self._last[channel] + TURN_S, now)
            if mine is not None and mine > now + EARLY_S:
                raise Retriable("Others wait for this channel.", mine - now)
        wait = house.budget.take(f"slack:{channel}", capacity=BURST, per_s=REFILL_S)
        with self._lock:
            if wait > 0:
                moment = now + wait if mine is not None else max(now + wait, self._last.get(channel, 0.0) + TURN_S)
                self._promise(channel, effect_id, moment, now)
                raise Retriable("Slack's message rate for this channel is used up.", moment - now)
            self._promised.pop(effect_id, None)

    def ahead(self, house: House, channel: str, effect_id: int) -> int:
        """How many messages of this process wait for the channel before a newcomer; none for one that has its turn already."""
        now = house.clock.now().timestamp()
        with self._lock:
            if effect_id in self._promised:
                return 0
            return max(0, math.ceil((self._last.get(channel, 0.0) - now) / TURN_S))

    def _promise(self, channel: str, effect_id: int, moment: float, now: float) -> float:
        self._promised[effect_id] = moment
        self._last[channel] = max(moment, self._last.get(channel, 0.0))
        if len(self._promised) > MANY:
            self._promised = {effect: at for effect, at in self._promised.items() if at > now - FORGET_S}
        return moment
