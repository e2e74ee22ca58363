"""One lead's acts prepared for counting: nothing after `as_of`, machines apart from people, order of arrival forgotten.

Features read many leads at once by the same rules (see `features.timelines`). This is for whoever asks about a single lead: what to
do next, what would lift it, what the live layer counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement, LeadHistory
from scoring.facts import email_domain, to_word
from scoring.noise import Aside, keep_plausible, set_aside

HOUR_S: Final = 3_600
DAY_S: Final = 86_400.0

#: Acts towards a lead, made by senders and servers. They are the denominators of rates and never count as behaviour.
TOWARDS: Final = frozenset(
    {
        Kind.EMAIL_SENT,
        Kind.EMAIL_DELIVERED,
        Kind.EMAIL_DEFERRED,
        Kind.EMAIL_BOUNCED,
        Kind.EMAIL_DROPPED,
        Kind.CALL_MISSED,
        Kind.CONTACTED,
        Kind.MEETING_MISSED,
    }
)

#: Acts by which a person turns away. They count for themselves, not as interest.
AWAY: Final = frozenset({Kind.UNSUBSCRIBED, Kind.SPAM_REPORTED, Kind.RESUBSCRIBED})

#: A signed proposal is the outcome itself, so it is never looked at.
OUTCOME: Final = frozenset({Kind.PROPOSAL_SIGNED})

WRITTEN: Final = frozenset({Kind.MESSAGE_RECEIVED, Kind.EMAIL_REPLIED, Kind.FORM_SUBMITTED})

#: Older acts than the newest so many are not looked at: what one event costs is bounded, however long a history is.
MOST_ACTS: Final = 1_000


def hour_of(moment: float) -> int:
    """The clock hour, in whole hours since 1970, of seconds since 1970."""
    return int(moment // HOUR_S)


def counts(kind: Kind, machine: bool) -> bool:
    """Whether an act counts at all: a machine's does only as one towards the lead, and the outcome itself never."""
    return kind not in OUTCOME and (not machine or kind in TOWARDS)


def act_order(act: Engagement) -> tuple[datetime, str, str, str]:
    """A total order, oldest first, that does not depend on the order of arrival."""
    return act.occurred_at, act.kind, act.text or "", repr(sorted(act.properties.items())) if act.properties else ""


def in_order(acts: Iterable[Engagement]) -> list[Engagement]:
    """Oldest first, by `act_order`; its longer part is worked out only where two acts are of one moment."""
    ordered = sorted(acts, key=lambda act: act.occurred_at)
    if any(one.occurred_at == other.occurred_at for one, other in pairwise(ordered)):
        ordered.sort(key=act_order)
    return ordered


def newest(history: LeadHistory) -> list[Engagement]:
    """The newest MOST_ACTS acts up to `as_of`, oldest first: all that is looked at."""
    return in_order(act for act in history.engagements if act.occurred_at <= history.as_of)[-MOST_ACTS:]


def aside(history: LeadHistory) -> list[Aside]:
    """The acts that features leave out since no person does so many, and why; the places are those in `newest`."""
    acts = newest(history)
    return set_aside(acts, [act.occurred_at.timestamp() for act in acts])


class Timeline:
    """One lead's acts: `acts` are the interested ones of people, oldest first; times are seconds since 1970.

    `email_domain` is in lower case, None without an address.
    """

    def __init__(self, history: LeadHistory) -> None:
        self.as_of = history.as_of
        self.now = history.as_of.timestamp()
        self.email_domain = email_domain(history.facts)
        self.acts: list[Engagement] = []
        self._facts = history.facts
        self._act_times: list[float] = []
        self._times: dict[Kind, list[float]] = {}
        acts = newest(history)
        for act, moment in zip(*keep_plausible(acts, [act.occurred_at.timestamp() for act in acts]), strict=True):
            self._keep(act, moment)

    def _keep(self, act: Engagement, moment: float) -> None:
        if not counts(act.kind, act.machine):
            return
        self._times.setdefault(act.kind, []).append(moment)
        if act.kind not in TOWARDS and act.kind not in AWAY:
            self.acts.append(act)
            self._act_times.append(moment)

    def times(self, *kinds: Kind) -> list[float]:
        """Times of these kinds, oldest first."""
        if len(kinds) == 1:
            return self._times.get(kinds[0], [])
        return sorted(moment for kind in kinds for moment in self._times.get(kind, ()))

    def count(self, *kinds: Kind, days: float | None = None) -> int:
        """How many of these kinds within the last `days` (later than `as_of` minus days), or ever."""
        times = self.times(*kinds)
        return len(times) if days is None else len(times) - bisect_right(times, self.now - days * DAY_S)

    def hourly(self) -> dict[tuple[Kind, int], int]:
        """How many of each kind in each clock hour (whole hours since 1970)."""
        buckets: dict[tuple[Kind, int], int] = {}
        for kind, times in self._times.items():
            for moment in times:
                place = kind, hour_of(moment)
                buckets[place] = buckets.get(place, 0) + 1
        return buckets

    def recent(self, days: float) -> list[Engagement]:
        """The interested acts of the last `days`, oldest first."""
        return self.acts[bisect_right(self._act_times, self.now - days * DAY_S) :]

    def hours_since(self, times: list[float]) -> float | None:
        """Hours from the last of these times to now, or None when there is none."""
        return (self.now - times[-1]) / 3600.0 if times else None

    def word(self, name: str) -> str | None:
        """A fact as text without surrounding space, or None when it is blank or the unanswered drop-down "Select"."""
        return to_word(self._facts.get(name))
