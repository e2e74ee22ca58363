"""Answers about leads, as the API and the command line give them: within a time budget, from a short memory where possible.

The model has 250 ms for a lead. When it takes longer the day-one rules answer, and the note says so. Equal leads asked for again
within five minutes are answered from memory.
"""

from __future__ import annotations

import gc
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from leads.records import FieldValue, LeadHistory
from scoring.appraisal import Appraisal, appraise, read_features
from scoring.columns import Row
from scoring.facts import to_word
from scoring.next_fact import QUESTIONS
from scoring.similar import PastLeads, weigh

if TYPE_CHECKING:
    from connector.bootstrap import House
    from scoring.bundle import Bundle

log = structlog.get_logger(__name__)

BUDGET_S: Final = 0.25
#: What each further lead of a batch adds to the budget.
BATCH_BUDGET_S: Final = 0.01
KEPT_FOR: Final = timedelta(minutes=5)
KEPT: Final = 5_000
#: How often it is looked whether the past has changed.
LOOK_EVERY: Final = timedelta(seconds=30)
TOO_SLOW: Final = "The model took longer than {:.0f} ms: this score follows the day-one rules."
#: Numbers are told apart by so many digits in the key: a lead's age moves every millisecond and means nothing so soon.
DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """An appraisal and where it came from: "model", "rules", or "cache"."""

    appraisal: Appraisal
    source: str


class Appraiser:
    """Appraises leads for one process. Safe to share between threads."""

    def __init__(self, house: House, budget_s: float = BUDGET_S) -> None:
        self._house, self._budget_s = house, budget_s
        # One lead after the other: side by side they would only take the interpreter from each other, and all be late.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="appraise")
        self._batches = ThreadPoolExecutor(1, thread_name_prefix="appraise-batch")
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[datetime, Appraisal]] = OrderedDict()
        self._past: PastLeads | None = None
        self._past_of: tuple[str | None, tuple[int, int]] = (None, (0, 0))
        self._past_seen = datetime.min.replace(tzinfo=UTC)
        self._warming = threading.Lock()
        self._ready: str | None = None
        #: Counts for the metrics: answers by source, and how often the budget was not enough.
        self.answered: dict[str, int] = {"model": 0, "rules": 0, "cache": 0}
        self.too_slow = 0

    def one(self, history: LeadHistory, *, reasons: bool = True) -> Answer:
        """The whole answer about one lead; without reasons the score alone."""
        bundle = self._champion(history)
        past = self.past(bundle) if reasons else None
        [features] = read_features([history], bundle)
        key = _key(history, features, bundle.version if bundle else "", reasons, self._past_of)
        kept = self._recall(key)
        if kept is not None:
            self._count("cache")
            told = replace(kept.score, as_of=history.as_of)
            return Answer(replace(kept, score=told), "cache")
        work = partial(appraise, [history], bundle, reasons=reasons, past=past, whole=reasons, rows=[features])
        appraisal, in_time = self._within(work, [history], reasons)
        if in_time:
            self._keep(key, appraisal[0])
        self._count(appraisal[0].score.source)
        return Answer(appraisal[0], appraisal[0].score.source)

    def many(self, histories: Sequence[LeadHistory], *, reasons: bool = True, whole: bool = False) -> list[Answer]:
        """Answers in the order given. Only with `whole` do they hold the trend, look-alikes, next step, best time and lift."""
        if not histories:
            return []
        bundle = self._champion(histories[0])
        past = self.past(bundle) if whole else None
        work = partial(appraise, histories, bundle, reasons=reasons, past=past, whole=whole)
        appraisals, _ = self._within(work, histories, reasons)
        self._count(appraisals[0].score.source, len(appraisals))
        return [Answer(one, one.score.source) for one in appraisals]

    def _champion(self, history: LeadHistory) -> Bundle | None:
        """The model that serves, ready: the tables of its reasons are laid out at its first answer, which no budget allows for."""
        bundle = self._house.models.champion()
        version = bundle.version if bundle else None
        if version != self._ready:
            with self._warming:
                if version != self._ready:
                    appraise([history], bundle)
                    self._ready = version
        return bundle

    def past(self, bundle: Bundle | None) -> PastLeads:
        """The past leads, weighed as this model does. When the past has changed they are indexed anew beside the work."""
        now = self._house.clock.now()
        version = bundle.version if bundle else None
        with self._lock:
            if self._past is not None and self._past_of[0] == version:
                if now - self._past_seen >= LOOK_EVERY:
                    self._past_seen = now
                    self._batches.submit(self._index, bundle)
                return self._past
        return self._index(bundle)

    def _index(self, bundle: Bundle | None) -> PastLeads:
        """Read the past unless it is as it was."""
        mark = (bundle.version if bundle else None, self._house.past_looks.mark())
        if self._past is not None and mark == self._past_of:
            return self._past
        weights = {column.name: column.weight for column in bundle.columns} if bundle else {}
        made = PastLeads(self._house.past_looks.all(), weigh(weights))
        gc.collect()
        gc.freeze()  # model and past stay: collections under load need not walk them again
        with self._lock:
            self._past, self._past_of, self._past_seen = made, mark, self._house.clock.now()
        return made

    def close(self) -> None:
        """Give back the threads; work that is still going on is left behind."""
        for pool in (self._pool, self._batches):
            pool.shutdown(wait=False, cancel_futures=True)

    def _within(
        self, call: Callable[[], list[Appraisal]], histories: Sequence[LeadHistory], reasons: bool
    ) -> tuple[list[Appraisal], bool]:
        """The appraisals and whether the model gave them in time."""
        work = (self._pool if len(histories) == 1 else self._batches).submit(call)
        budget = self._budget_s + BATCH_BUDGET_S * (len(histories) - 1)
        try:
            return work.result(budget), True
        except TooLate:
            work.cancel()
        with self._lock:
            self.too_slow += 1
        log.warning("model too slow", leads=len(histories), budget_ms=round(1000 * budget))
        note = TOO_SLOW.format(1000 * budget)
        told = appraise(histories, None, reasons=reasons)  # short: who is late already must not get later
        return [replace(one, score=replace(one.score, note=note)) for one in told], False

    def _recall(self, key: str) -> Appraisal | None:
        with self._lock:
            at, kept = self._kept.get(key, (None, None))
            return kept if at is not None and self._house.clock.now() - at < KEPT_FOR else None

    def _keep(self, key: str, appraisal: Appraisal) -> None:
        with self._lock:
            self._kept[key] = (self._house.clock.now(), appraisal)
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _count(self, source: str, times: int = 1) -> None:
        with self._lock:
            self.answered[source] += times


def _key(history: LeadHistory, row: Row, version: str, reasons: bool, past: object) -> str:
    """A digest of all that an answer is made from: the features, the tenant's columns, what was done when, which the best time is
    read from, the ways to reach the lead, which the next step is, what is known already, and the size of the deal."""
    features = {name: _rough(value) for name, value in row.items() if value is not None}
    acts = [(act.kind.value, int(act.occurred_at.timestamp())) for act in history.engagements]
    ways = [to_word(history.facts.get(name)) is not None for name in ("phone", "email", "email_domain")]
    known = [to_word(history.facts.get(name)) is not None for name in QUESTIONS]
    more = [*ways, *known, history.facts.get("email_consent"), history.facts.get("deal_amount")]
    told = json.dumps([version, reasons, repr(past), features, dict(history.extra), acts, more], sort_keys=True, default=str)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def _rough(value: FieldValue) -> FieldValue:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value
