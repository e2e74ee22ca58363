"""Stage 2, `lead.score`: history as of now → features → score. The score commits here, with the lead's version it was made from."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connector.bootstrap import House
from connector.pipeline.alerts import is_news
from leads.enums import Tier
from leads.results import Score
from scoring.scorer import score as score_histories

log = structlog.get_logger(__name__)

BATCH = 500


def evaluate(house: House, lead_id: int) -> Score | None:
    """Score the lead if it changed since it was last scored; None when there is nothing to do."""
    lead = house.leads.get(lead_id)
    if lead is None or lead.erased or not lead.routable:
        return None
    if lead.scored_version >= lead.version:
        if lead.allocated_version < lead.scored_version:
            house.queue.ring_allocate(lead.id)
        return None
    history = house.histories.at(lead.id, house.clock.now())
    if history is None:
        return None
    score = score_histories([history], house.models.champion())[0]
    with house.db.transaction():
        now = house.leads.lock(lead.id)
        if now is None or now.scored_version >= lead.version:
            return None  # another worker scored it, or something newer
        shown, shown_tier = house.leads.announced(lead.id)
        score_id = house.scores.add(lead.id, lead.version, score)
        house.leads.mark_scored(lead.id, lead.version, score_id)
        if lead.owner_id is not None and not is_news(house, score, shown, shown_tier):
            house.leads.mark_allocated(lead.id, lead.version)  # its owner stays and nobody needs to be told
        else:
            house.db.after_commit(lambda: house.queue.ring_allocate(lead.id))
        if _wants_rationale(house, score, shown is None or shown_tier is not score.tier):
            house.db.after_commit(lambda: house.queue.ring_slow("rationale", score_id))
    log.info("lead scored", lead_id=lead.id, score=score.score, tier=score.tier.value, model=score.model_version)
    return score


def _wants_rationale(house: House, score: Score, tier_is_new: bool) -> bool:
    return house.settings.llm.api_key is not None and tier_is_new and score.tier in (Tier.A, Tier.B)


def rescore(house: House, lead_ids: Sequence[int]) -> int:
    """Score many stored leads in batches, without routing them; returns how many."""
    done = 0
    for start in range(0, len(lead_ids), BATCH):
        now = house.clock.now()
        leads = [lead for lead_id in lead_ids[start : start + BATCH] if (lead := house.leads.get(lead_id)) and not lead.erased]
        histories = [history for lead in leads if (history := house.histories.at(lead.id, now))]
        scores = score_histories(histories, house.models.champion())
        versions = {lead.id: lead.version for lead in leads}
        with house.db.transaction():
            for history, score in zip(histories, scores, strict=True):
                house.scores.add(history.lead_id, versions[history.lead_id], score)
        done += len(histories)
    return done
