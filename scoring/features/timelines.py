"""Histories of many leads side by side, prepared for counting: what features read, a column at a time.

Every lead's part is what it would be alone: nothing after its `as_of`, machines apart from people, order of arrival forgotten (see
`scoring.timeline` for one lead). One lead is a batch of one, so training, batches and live scoring are one path. Columns are plain
lists: for one lead they cost a tenth of what arrays cost, and for a thousand not more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement, FieldValue, LeadHistory, Signal
from scoring.facts import email_domain, to_number, to_word
from scoring.features.learned import Learned
from scoring.noise import keep_plausible
from scoring.timeline import AWAY, DAY_S, HOUR_S, MOST_ACTS, OUTCOME, TOWARDS, WRITTEN, in_order

#: One value a lead.
Values = Sequence[FieldValue]

#: Free text beyond this is not read: it costs time and says nothing new.
TEXT_LIMIT: Final = 2_000
NEVER: Final = float("-inf")


class Acts:
    """The acts of one kind that count: whose (places of leads), when, and the acts; lead by lead, oldest first."""

    __slots__ = ("acts", "at", "owner")

    def __init__(self) -> None:
        self.owner: list[int] = []
        self.at: list[float] = []
        self.acts: list[Engagement] = []

    def after(self, since: Sequence[float]) -> Iterator[tuple[int, Engagement]]:
        """(lead, act) of those later than the moment of their lead."""
        each = zip(self.owner, self.at, self.acts, strict=True)
        return ((owner, act) for owner, at, act in each if at > since[owner])


_NONE: Final = Acts()


class Timelines:
    """What features read of `size` leads; each list is in the order of the leads.

    `now` and `created` are seconds since 1970. `acts` are each lead's interested acts of people, oldest first, and `times` their
    moments; acts that count without being of interest are only counted. `learned` is what training knows of the past, None before
    the first model.
    """

    def __init__(self, histories: Sequence[LeadHistory], learned: Learned | None = None) -> None:
        self.histories, self.learned, self.size = histories, learned, len(histories)
        self.now = [history.as_of.timestamp() for history in histories]
        self.created = [history.created_at.timestamp() for history in histories]
        self.acts: list[list[Engagement]] = [[] for _ in histories]
        self.times: list[list[float]] = [[] for _ in histories]
        self._kinds: dict[Kind, Acts] = {}
        self._kept: dict[object, Any] = {}
        for place, history in enumerate(histories):
            if history.engagements:
                self._take(place, history)

    def _take(self, place: int, history: LeadHistory) -> None:
        acts: Sequence[Engagement] = history.engagements
        at = [act.occurred_at.timestamp() for act in acts]
        if at[-1] > self.now[place] or len(at) > MOST_ACTS or any(map(float.__ge__, at, at[1:])):
            acts = in_order(act for act in acts if act.occurred_at <= history.as_of)[-MOST_ACTS:]
            at = [act.occurred_at.timestamp() for act in acts]
        acts, at = keep_plausible(acts, at)
        kinds, own, times = self._kinds, self.acts[place], self.times[place]
        for act, moment in zip(acts, at, strict=True):
            kind = act.kind
            towards = kind in TOWARDS
            if (act.machine and not towards) or kind in OUTCOME:
                continue
            seen = kinds.get(kind)
            if seen is None:
                seen = kinds[kind] = Acts()
            seen.owner.append(place)
            seen.at.append(moment)
            seen.acts.append(act)
            if not towards and kind not in AWAY:
                own.append(act)
                times.append(moment)

    def once(self, name: object, make: Callable[[], Any]) -> Any:
        """What several features read, worked out by the first of them."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def of(self, kind: Kind) -> Acts:
        """The acts of a kind."""
        return self._kinds.get(kind, _NONE)

    def since(self, days: float) -> list[float]:
        """The moment so many days before each lead's `as_of`."""
        return self.once(("since", days), lambda: [now - days * DAY_S for now in self.now])  # type: ignore[no-any-return]

    def count(self, *kinds: Kind, days: float | None = None) -> list[int]:
        """How many of these kinds each lead has within the last `days` (later than `as_of` minus days), or ever."""
        found = [0] * self.size
        for kind in kinds:
            seen = self._kinds.get(kind)
            if seen is None:
                continue
            if days is None:
                for owner in seen.owner:
                    found[owner] += 1
            else:
                since = self.since(days)
                for owner, at in zip(seen.owner, seen.at, strict=True):
                    if at > since[owner]:
                        found[owner] += 1
        return found

    def count_hours(self, *kinds: Kind, hours: int) -> list[int]:
        """How many of these kinds each lead has within the last `hours` clock hours, the present one included."""
        found = [0] * self.size
        starts = self.once(("hours", hours), lambda: [(now // HOUR_S - hours + 1) * HOUR_S for now in self.now])
        for kind in kinds:
            seen = self._kinds.get(kind)
            if seen is not None:
                for owner, at in zip(seen.owner, seen.at, strict=True):
                    if at >= starts[owner]:
                        found[owner] += 1
        return found

    def moments(self, *kinds: Kind) -> dict[int, list[float]]:
        """The moments of these kinds by lead, oldest first; leads without one are not among them."""
        found: dict[int, list[float]] = {}
        for kind in kinds:
            seen = self.of(kind)
            for owner, at in zip(seen.owner, seen.at, strict=True):
                found.setdefault(owner, []).append(at)
        if len(kinds) > 1:
            for times in found.values():
                times.sort()
        return found

    def last(self, *kinds: Kind) -> list[float]:
        """The moment of each lead's last act of these kinds; NEVER where there is none."""
        found = [NEVER] * self.size
        for kind in kinds:
            seen = self.of(kind)
            for owner, at in zip(seen.owner, seen.at, strict=True):
                if at > found[owner]:
                    found[owner] = at
        return found

    def last_act(self) -> list[float]:
        """The moment of each lead's last interested act; NEVER where there is none."""
        return [times[-1] if times else NEVER for times in self.times]

    def hours_since(self, moments: Sequence[float]) -> Values:
        """Hours from each lead's moment to now; None where it is NEVER."""
        return [None if at == NEVER else (now - at) / 3600.0 for now, at in zip(self.now, moments, strict=True)]

    def recent(self, days: float) -> list[int]:
        """The place of the first of each lead's `acts` that is of the last `days`; as many as there are acts when none is."""
        pairs = zip(self.times, self.since(days), strict=True)
        return self.once(  # type: ignore[no-any-return]
            ("recent", days), lambda: [bisect_right(times, since) if times else 0 for times, since in pairs]
        )

    def recently(self, days: float) -> list[int]:
        """How many interested acts each lead has in the last `days`."""
        return [len(times) - first for times, first in zip(self.times, self.recent(days), strict=True)]

    def words(self, name: str) -> list[str | None]:
        """A fact as text without surrounding space; None where it is blank or the unanswered drop-down "Select"."""
        return self.once(  # type: ignore[no-any-return]
            ("words", name), lambda: [to_word(history.facts.get(name)) for history in self.histories]
        )

    def lowered(self, name: str) -> list[str | None]:
        """`words` in lower case."""
        return [word.lower() if word else None for word in self.words(name)]

    def numbers(self, name: str) -> list[float | None]:
        """A fact as a finite number; None where it is missing or is not one."""
        return self.once(  # type: ignore[no-any-return]
            ("numbers", name), lambda: [to_number(history.facts.get(name)) for history in self.histories]
        )

    @cached_property
    def domains(self) -> list[str | None]:
        """The domain of the e-mail address in lower case; None without one."""
        return [email_domain(history.facts) for history in self.histories]

    @cached_property
    def signals(self) -> list[list[Signal]]:
        """Those of the feeds, oldest first."""
        return [_told(history) if history.signals else [] for history in self.histories]

    @cached_property
    def texts(self) -> list[str]:
        """What each lead wrote, newest first, in lower case; cut at TEXT_LIMIT characters. Empty where nothing was written."""
        wrote = {owner for kind in WRITTEN for owner, act in zip(self.of(kind).owner, self.of(kind).acts, strict=True) if act.text}
        texts = []
        for place, message in enumerate(self.words("message")):
            written = [act.text for act in reversed(self.acts[place]) if act.text and act.kind in WRITTEN] if place in wrote else []
            if message:
                written.append(message)
            texts.append("\n".join(written)[:TEXT_LIMIT].lower() if written else "")
        return texts

    def of_texts(self, read: Callable[[str], FieldValue]) -> Values:
        """What `read` finds in each lead's text; None where nothing was written."""
        return [read(text) if text else None for text in self.texts]


def ratio(parts: Sequence[float], wholes: Sequence[float]) -> Values:
    """The share of each; None where the whole is nought."""
    return [part / whole if whole else None for part, whole in zip(parts, wholes, strict=True)]


def _told(history: LeadHistory) -> list[Signal]:
    told = (signal for signal in history.signals if signal.at <= history.as_of)
    return sorted(told, key=lambda signal: (signal.at, signal.name, signal.scope, signal.value))
