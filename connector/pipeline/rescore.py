"""Score many stored leads again: the whole base by a person's wish, and every day those in work, because time passes for them too.

The pipeline scores what was touched by itself. Here leads are read, scored and written in batches; what is news (another tier, or a
score that moved far enough) goes on to the next stage, which tells the CRM and the rep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from connector.bootstrap import House
from connector.pipeline.alerts import is_news
from connector.pipeline.stale import find_stale
from connector.storage.stages import Passage
from leads.results import Score
from scoring.scorer import score as score_histories

log = structlog.get_logger(__name__)

BATCH = 500
#: Leads one job refreshes; the clock asks again while some are left.
A_JOB = 20_000

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class RescoreReport:
    """`leads` were looked at, `scored` got a new score, `news` of them go on to the CRM and the rep; the rest is in the pipeline's
    hands already or was erased."""

    leads: int
    scored: int
    news: int


def rescore_base(house: House, progress: Progress | None = None) -> RescoreReport:
    """Score every lead of the base again."""
    whole = max(house.stages.count(), 1)
    tell = progress or (lambda done, what: None)
    return rescore(house, house.stages.everybody(BATCH), lambda leads: tell(min(leads / whole, 1.0), f"{leads} leads"))


def refresh(house: House) -> RescoreReport:
    """Score again the open leads whose score is a day old."""
    ids = find_stale(house, A_JOB)
    return rescore(house, (ids[start : start + BATCH] for start in range(0, len(ids), BATCH)))


def rescore(house: House, batches: Iterable[Sequence[int]], progress: Callable[[int], None] | None = None) -> RescoreReport:
    """Score these leads again, each batch in one transaction; `progress` is told how many were looked at."""
    leads = scored = news = 0
    for lead_ids in batches:
        done, told = _one_batch(house, lead_ids)
        leads, scored, news = leads + len(lead_ids), scored + done, news + told
        if progress:
            progress(leads)
    log.info("leads scored again", leads=leads, scored=scored, news=news)
    return RescoreReport(leads, scored, news)


def _one_batch(house: House, lead_ids: Sequence[int]) -> tuple[int, int]:
    """(scored, news). A lead that changed while it was scored is left to the pipeline."""
    stages = house.stages
    with house.db.connected():
        read_at = stages.versions(lead_ids)  # before the histories: what changes between is then told by its version
        histories = house.histories.at_many(lead_ids, house.clock.now())
    answers = score_histories(histories, house.models.champion())
    scores = {history.lead_id: score for history, score in zip(histories, answers, strict=True)}
    with house.db.transaction():
        standing = [one for one in stages.lock(list(scores)) if not one.waits and one.version == read_at.get(one.lead_id)]
        news = {one.lead_id for one in standing if _moved(house, one, scores[one.lead_id])}
        stages.count_on(sorted(news))
        house.scores.add_many([(one.lead_id, one.version + (one.lead_id in news), scores[one.lead_id]) for one in standing])
        stages.let_stand([one.lead_id for one in standing])
        watched = bool(house.playbook_shelf.current().by_name)
        for lead_id in sorted(news):
            if watched:
                house.playbooks.ask_look(lead_id)
            house.db.after_commit(partial(house.queue.ring_allocate, lead_id))
    return len(standing), len(news)


def _moved(house: House, standing: Passage, score: Score) -> bool:
    """Whether the CRM and the rep are to hear of it; a lead that was never shown is on its way to its first rep."""
    told = standing.routable and not standing.ended and standing.shown is not None
    return told and is_news(house, score, standing.shown, standing.shown_tier)
