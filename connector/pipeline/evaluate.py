"""Stage 2, `lead.score`: history as of now → features → score. The score commits here, with the lead's version it was made from."""

from __future__ import annotations

from functools import partial

import structlog

from connector.bootstrap import House
from connector.pipeline.alerts import is_news
from leads.enums import Tier
from leads.results import Score
from scoring.scorer import score as score_histories

log = structlog.get_logger(__name__)


def evaluate(house: House, lead_id: int) -> Score | None:
    """Score the lead if it changed since it was last scored; None when there is nothing to do."""
    lead = house.stages.get(lead_id)
    if lead is None or not lead.routable:
        return None
    if lead.scored_version >= lead.version:
        if lead.allocated_version < lead.scored_version:
            house.queue.ring_allocate(lead.lead_id)
        return None
    if lead.scored_version == 0 and house.settings.enrichment.url and house.enrichments.holds(lead.lead_id):
        return None  # it waits for what is known of it elsewhere; a bell rings when the hold is over
    history = house.histories.at(lead.lead_id, house.clock.now())
    if history is None:
        return None
    live = house.live.read(lead.version, history)
    score = score_histories([history], house.models.champion(), known=live)[0]
    with house.db.transaction():
        now = next(iter(house.stages.lock([lead.lead_id])), None)
        if now is None or now.scored_version >= lead.version:
            return None  # another worker scored it, or something newer
        score_id = house.scores.add(lead.lead_id, lead.version, score)
        house.leads.mark_scored(lead.lead_id, lead.version, score_id)
        if now.owned and not is_news(house, score, now.shown, now.shown_tier):
            house.leads.mark_allocated(lead.lead_id, lead.version)  # its owner stays and nobody needs to be told
        else:
            house.db.after_commit(partial(house.queue.ring_allocate, lead.lead_id))
        if house.playbook_shelf.current().by_name:
            house.playbooks.ask_look(lead.lead_id)  # the clock rings for it, when the lead has found its rep
        if _wants_rationale(house, score, now.shown is None or now.shown_tier is not score.tier):
            house.db.after_commit(partial(house.queue.ring_slow, "rationale", score_id))
    if now.version == lead.version and (lead.scored_version == 0 or house.live.lacks(lead.lead_id)):
        house.live.build(lead.version, history)  # nothing came while the history was read
    log.info("lead scored", lead_id=lead.lead_id, score=score.score, tier=score.tier.value, model=score.model_version)
    return score


def _wants_rationale(house: House, score: Score, tier_is_new: bool) -> bool:
    return house.settings.llm.api_key is not None and tier_is_new and score.tier in (Tier.A, Tier.B)
