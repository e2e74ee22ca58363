"""A lead's history prepared for counting: nothing after `as_of`, machines apart from people, order of arrival forgotten."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement, FieldValue, LeadHistory, Signal
from scoring.features.learned import Keys, Learned

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

#: Free text beyond this is not read: it costs time and says nothing new.
TEXT_LIMIT: Final = 2_000


#: The learned features before the first model.
NOTHING: Final[Mapping[str, FieldValue]] = dict.fromkeys(
    ("industry_conversion", "region_conversion", "seasonal_intent", "message_intent")
)


def hour_of(moment: float) -> int:
    """The clock hour, in whole hours since 1970, of seconds since 1970."""
    return int(moment // HOUR_S)


def counts(kind: Kind, machine: bool) -> bool:
    """Whether an act counts at all: a machine's does only as one towards the lead, and the outcome itself never."""
    return kind not in OUTCOME and (not machine or kind in TOWARDS)


def _in_order(acts: Iterable[Engagement]) -> list[Engagement]:
    """Oldest first, by `_order`; its longer part is worked out only where two acts are of one moment."""
    ordered = sorted(acts, key=lambda act: act.occurred_at)
    if any(one.occurred_at == other.occurred_at for one, other in pairwise(ordered)):
        ordered.sort(key=_order)
    return ordered


def _order(act: Engagement) -> tuple[datetime, str, str, str]:
    """A total order that does not depend on the order of arrival."""
    return act.occurred_at, act.kind, act.text or "", repr(sorted(act.properties.items())) if act.properties else ""


class Timeline:
    """What features read.

    `acts` are the interested acts of people, oldest first, and `act_times` their moments; times are seconds since 1970.
    `email_domain` is in lower case, None without an address. `signals` are those of the feeds, oldest first; `learned` is what
    training knows of the past, None before the first model.
    """

    def __init__(self, history: LeadHistory, learned: Learned | None = None) -> None:
        self.learned = learned
        self.signals: list[Signal] = []
        if history.signals:
            told = [signal for signal in history.signals if signal.at <= history.as_of]
            self.signals = sorted(told, key=lambda signal: (signal.at, signal.name, signal.scope, signal.value))
        self.facts: Mapping[str, FieldValue] = history.facts
        self.created_at = history.created_at
        self.as_of = history.as_of
        self.now = history.as_of.timestamp()
        self.email_domain = email_domain(history.facts)
        self._words: dict[str, str | None] = {}
        self._learned_values: Mapping[str, FieldValue] | None = None
        self.acts: list[Engagement] = []
        self.act_times: list[float] = []
        self._times: dict[Kind, list[float]] = {}
        for act in _in_order(act for act in history.engagements if act.occurred_at <= history.as_of)[-MOST_ACTS:]:
            self._keep(act)

    def _keep(self, act: Engagement) -> None:
        if not counts(act.kind, act.machine):
            return
        moment = act.occurred_at.timestamp()
        self._times.setdefault(act.kind, []).append(moment)
        if act.kind not in TOWARDS and act.kind not in AWAY:
            self.acts.append(act)
            self.act_times.append(moment)

    def times(self, *kinds: Kind) -> list[float]:
        """Times of these kinds, oldest first."""
        if len(kinds) == 1:
            return self._times.get(kinds[0], [])
        return sorted(moment for kind in kinds for moment in self._times.get(kind, ()))

    def count(self, *kinds: Kind, days: float | None = None) -> int:
        """How many of these kinds within the last `days` (later than `as_of` minus days), or ever."""
        cut = None if days is None else self.now - days * DAY_S
        found = 0
        for kind in kinds:
            times = self._times.get(kind)
            if times:
                found += len(times) if cut is None else len(times) - bisect_right(times, cut)
        return found

    def count_hours(self, *kinds: Kind, hours: int) -> int:
        """How many of these kinds within the last `hours` clock hours, the present one included."""
        start = (hour_of(self.now) - hours + 1) * HOUR_S
        found = 0
        for kind in kinds:
            times = self._times.get(kind)
            if times:
                found += len(times) - bisect_left(times, start)
        return found

    def hourly(self) -> dict[tuple[Kind, int], int]:
        """How many of each kind in each clock hour (whole hours since 1970)."""
        buckets: dict[tuple[Kind, int], int] = {}
        for kind, times in self._times.items():
            for moment in times:
                place = kind, hour_of(moment)
                buckets[place] = buckets.get(place, 0) + 1
        return buckets

    def learned_values(self, keys_of: Callable[[Timeline], Keys]) -> Mapping[str, FieldValue]:
        """The learned features, looked up once a lead; all missing before the first model."""
        if self._learned_values is None:
            self._learned_values = self.learned.values(keys_of(self)) if self.learned else NOTHING
        return self._learned_values

    def recent(self, days: float) -> list[Engagement]:
        """The interested acts of the last `days`, oldest first."""
        return self.acts[bisect_right(self.act_times, self.now - days * DAY_S) :]

    def hours_since(self, times: list[float]) -> float | None:
        """Hours from the last of these times to now, or None when there is none."""
        return (self.now - times[-1]) / 3600.0 if times else None

    @cached_property
    def text(self) -> str:
        """What the lead wrote, newest first, in lower case; cut at TEXT_LIMIT characters. Empty when nothing was written."""
        written = [act.text for act in reversed(self.acts) if act.text and act.kind in WRITTEN]
        return _joined((*written, self.word("message")))

    def number(self, name: str) -> float | None:
        """A fact as a finite number, or None when it is missing or is not one."""
        return to_number(self.facts.get(name))

    def word(self, name: str) -> str | None:
        """A fact as text without surrounding space, or None when it is blank or the unanswered drop-down "Select"."""
        if name not in self._words:
            self._words[name] = to_word(self.facts.get(name))
        return self._words[name]


def _joined(texts: Iterable[str | None]) -> str:
    return "\n".join(text for text in texts if text)[:TEXT_LIMIT].lower()


def email_domain(facts: Mapping[str, FieldValue]) -> str | None:
    """The domain of `facts["email"]`, or the fact `email_domain` when the address itself is not given."""
    given = to_word(facts.get("email_domain"))
    if given is not None:
        return given.lower()
    _, at, domain = (to_word(facts.get("email")) or "").rpartition("@")
    return domain.lower() or None if at else None


def to_word(value: FieldValue) -> str | None:
    """Text without surrounding space; None for blanks and for "Select", the text of a drop-down nobody answered."""
    if value is None:
        return None
    text = str(value).strip()
    return None if not text or text.lower() == "select" else text


def to_number(value: FieldValue) -> float | None:
    """A finite float, or None."""
    if value is None:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
