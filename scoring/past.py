"""The past that a model learns from: ended leads in order of creation, with their features and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from leads.enums import Outcome
from leads.records import FieldValue, LabelledHistory, LeadHistory
from scoring.catalogue import CATALOGUE
from scoring.columns import Column, FloatArray, add_extra
from scoring.features import read
from scoring.features.learned import Keys, Learned
from scoring.features.timelines import Timelines
from scoring.learning import learn, learn_out_of_fold, number_leads

#: The newest fifth is the holdout; the newest fifth of what is older calibrates.
NEWEST_SHARE: Final = 0.2
#: Features are told of after so many leads.
TELL_EVERY: Final = 1_000
#: Without an order, one in so many leads stands for the newest.
ASIDE_PARTS: Final = 5
#: The canonical feature that is used only where it is measurably better.
ARRIVAL: Final = "created_day"
MIN_LABELS: Final = 50
MIN_EACH: Final = 10

Progress = Callable[[float, str], None]


class NotEnough(ValueError):
    """There is too little history to learn from; one line says what is short."""


@dataclass(frozen=True, slots=True)
class Past:
    """Leads in order of creation, each once or at several ages, with canonical features and outcomes 0/1.

    `starts` are the places of the first row of each lead. `keys` are empty where the leads have nothing but a tenant's own columns:
    there is nothing canonical to learn then.
    """

    histories: Sequence[LeadHistory]
    features: Sequence[dict[str, FieldValue]]
    keys: Sequence[Keys]
    labels: FloatArray
    starts: tuple[int, ...]

    @property
    def days(self) -> float:
        """Days from the first to the last creation."""
        return (self.histories[-1].created_at - self.histories[0].created_at).total_seconds() / 86_400.0

    @property
    def weights(self) -> FloatArray:
        """A weight for each row; those of one lead sum to 1."""
        looks = np.diff([*self.starts, len(self.labels)])
        return np.repeat(1.0 / looks, looks)

    def split(self, ordered: bool = True) -> tuple[Past, Past]:
        """The older leads and the newest fifth, no lead on both sides; without an order any fifth, equal rows on one side."""
        if not ordered:
            return self._split_anywhere()
        cut = round(len(self.starts) * (1 - NEWEST_SHARE))
        place = self.starts[cut]
        later = tuple(start - place for start in self.starts[cut:])
        return self._part(slice(None, place), self.starts[:cut]), self._part(slice(place, None), later)

    def _split_anywhere(self) -> tuple[Past, Past]:
        leads = np.array(number_leads(self.starts, len(self.labels)), dtype=np.int64)
        # Salted, so that the older part can be split again: the same leads would be set aside, and none of them is left.
        salt = len(self.starts)
        groups = [group_of(self.histories[start], salt) % ASIDE_PARTS for start in self.starts]
        aside = (np.array(groups, dtype=np.int64) == 0)[leads]
        return self.take(np.flatnonzero(~aside)), self.take(np.flatnonzero(aside))

    def take(self, places: NDArray[np.int64]) -> Past:
        """These rows, which must hold leads whole."""
        leads = np.array(number_leads(self.starts, len(self.labels)))[places]
        starts = tuple(np.flatnonzero(np.diff(leads, prepend=-1)).tolist())
        keys = [self.keys[place] for place in places] if self.keys else ()
        histories, features = [self.histories[place] for place in places], [self.features[place] for place in places]
        return Past(histories, features, keys, self.labels[places], starts)

    def _part(self, places: slice, starts: tuple[int, ...]) -> Past:
        return Past(self.histories[places], self.features[places], self.keys[places], self.labels[places], starts)

    def followed_by(self, later: Past) -> Past:
        """These leads and then others."""
        starts = (*self.starts, *(len(self.labels) + start for start in later.starts))
        labels = np.concatenate([self.labels, later.labels])
        histories, features = [*self.histories, *later.histories], [*self.features, *later.features]
        return Past(histories, features, [*self.keys, *later.keys], labels, starts)

    def one_each(self) -> Past:
        """Each lead at one of its ages, taken in turn, so that rows stand for themselves."""
        stops = (*self.starts[1:], len(self.labels))
        chosen = [start + turn % (stop - start) for turn, (start, stop) in enumerate(zip(self.starts, stops, strict=True))]
        histories, features = [self.histories[place] for place in chosen], [self.features[place] for place in chosen]
        keys = [self.keys[place] for place in chosen] if self.keys else ()
        return Past(histories, features, keys, self.labels[chosen], tuple(range(len(chosen))))

    def learn(self) -> tuple[Learned, Past]:
        """What these leads teach the features, and the leads with what the others among them teach (out of fold)."""
        leads = number_leads(self.starts, len(self.labels))
        if not self.keys:
            return learn([], np.empty(0), np.empty(0), []), self
        known = learn_out_of_fold(self.keys, self.labels, self.weights, leads)
        return learn(self.keys, self.labels, self.weights, leads), self._with(known)

    def taught(self, learned: Learned) -> Past:
        """The leads with what others taught."""
        if not self.keys:
            return self
        return self._with([learned.values(keys) for keys in self.keys])

    def _with(self, values: Sequence[Mapping[str, FieldValue]]) -> Past:
        features = [{**row, **more} for row, more in zip(self.features, values, strict=True)]
        return replace(self, features=features)

    def rows(self, extra: Sequence[Column]) -> list[dict[str, FieldValue]]:
        """Features joined by these columns of the tenant's."""
        return [add_extra(row, history, extra) for row, history in zip(self.features, self.histories, strict=True)]


def read_past(examples: Sequence[LabelledHistory], min_labels: int, tell: Progress, canonical: bool = True) -> Past:
    """Ended leads in order of creation, with their features; only their day of creation when not `canonical`. Raises NotEnough."""
    ended = [example for example in examples if example.outcome in (Outcome.WON, Outcome.LOST)]
    ended.sort(key=lambda example: (*_lead(example.history), example.history.as_of))
    histories = [example.history for example in ended]
    starts = tuple(place for place, history in enumerate(histories) if not place or _lead(history) != _lead(histories[place - 1]))
    labels = np.array([float(example.outcome is Outcome.WON) for example in ended])
    check_labels(labels[list(starts)], min_labels)
    if not canonical:
        days = CATALOGUE[ARRIVAL].compute(Timelines(histories))
        return Past(histories, [{ARRIVAL: day} for day in days], (), labels, starts)
    features: list[dict[str, FieldValue]] = []
    keys: list[Keys] = []
    for place in range(0, len(histories), TELL_EVERY):
        tell(place / len(histories), f"Building features of {len(starts)} leads")
        rows, looked_up = read(histories[place : place + TELL_EVERY])
        features += rows
        keys += looked_up
    return Past(histories, features, keys, labels, starts)


def _lead(history: LeadHistory) -> tuple[datetime, int]:
    return history.created_at, history.lead_id


def group_of(history: LeadHistory, salt: int = 0) -> int:
    """Equal for leads whose columns are all equal, so that they stay on one side of a split; another split has another salt."""
    return crc32(repr((salt, sorted(history.facts.items()), sorted(history.extra.items()))).encode())


def check_labels(ends: FloatArray, min_labels: int) -> None:
    """Whether there are enough ended leads of either outcome. Raises NotEnough."""
    rows, won = len(ends), int(ends.sum())
    if rows < min_labels:
        raise NotEnough(f"Training needs at least {min_labels} leads that were won or lost; there are {rows}.")
    for count, name in ((won, "won"), (rows - won, "lost")):
        if count < MIN_EACH:
            raise NotEnough(f"Training needs at least {MIN_EACH} {name} leads; there are {count}.")


def check_stretches(past: Past, ordered: bool = True) -> None:
    """Whether both outcomes occur in each part that training splits off. Raises NotEnough."""
    older, holdout = past.split(ordered)
    for stretch, name in zip((*older.split(ordered), holdout), ("oldest", "middle", "newest"), strict=True):
        if not len(stretch.labels):
            raise NotEnough("The leads differ in nothing that can be learned from: rows are alike, or columns are empty.")
        share = stretch.labels.mean()
        if share in (0.0, 1.0):
            ending = "won" if share else "lost"
            raise NotEnough(
                f"All {len(stretch.starts)} {name} leads were {ending}; training needs both outcomes in each stretch of time."
            )
