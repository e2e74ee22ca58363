"""The LLM's rationale of a score: a slow job of its own that edits the card later and never holds up routing.

It has a budget in milliseconds; when it fails or is late, the model's own reasons stand, and the failure is counted and logged.
"""

from __future__ import annotations

from typing import Any, cast

import structlog

from connector.bootstrap import House
from connector.pipeline.alerts import ask_cards
from leads.results import Rationale
from scoring.rationale import RESPONSE_SCHEMA, build_messages, read_reply

log = structlog.get_logger(__name__)


def write_rationale(house: House, score_id: int) -> Rationale | None:
    """Ask the LLM about a score and keep what it says. None when the score is no longer the newest, or the LLM did not do."""
    stored = house.scores.get(score_id)
    newest = house.scores.newest(stored.lead_id) if stored else None
    if stored is None or newest is None or newest.id != score_id or house.scores.rationale(score_id) is not None:
        return None
    history = house.histories.at(stored.lead_id, stored.score.as_of)
    if history is None:
        return None
    try:
        rationale = read_reply(ask(house, build_messages(stored.score, history)), stored.score, history)
    except Exception as error:  # whatever the service or its answer got wrong, the model's own reasons stand
        log.warning(
            "no rationale",
            lead_id=stored.lead_id,
            error=type(error).__name__,
            detail=str(error)[:200] if isinstance(error, ValueError) else "",
        )
        return None
    with house.db.transaction():
        house.scores.set_rationale(score_id, rationale)
        lead = house.leads.get(stored.lead_id)
        if lead is not None and house.cards.of_lead(lead.id) and ask_cards(house, lead.id, stored.score.tier, lead.owner_id):
            house.db.after_commit(lambda: house.queue.ring_deliver("slack"))
    return rationale


def ask(house: House, messages: list[dict[str, Any]]) -> str:
    """One call; each wait of it within the budget. Raises whatever the client raises."""
    settings = house.settings.llm
    reply = house.llm.chat.completions.create(
        model=settings.model,
        messages=cast(Any, messages),
        response_format=cast(
            Any, {"type": "json_schema", "json_schema": {"name": "rationale", "strict": True, "schema": RESPONSE_SCHEMA}}
        ),
        temperature=0,
    )
    return reply.choices[0].message.content or ""
