"""Train a model on the history that is stored: each past lead as it stood before its outcome was known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import structlog

from connector.bootstrap import House
from connector.pipeline import look_alikes
from connector.storage.model_versions import ModelRecord
from leads.enums import Outcome
from leads.records import LabelledHistory
from scoring.bundle import Bundle
from scoring.landmarks import look_moments
from scoring.training import train

log = structlog.get_logger(__name__)


def run(
    house: House, progress: Callable[[float, str], None] | None = None, *, seed: int = 7, families: bool = False, tries: int = 0
) -> ModelRecord:
    """Train, save and promote; `families` adds the comparison of model families to the figures, `tries` tries so
    many recipes of the trees first (see `scoring.tuning`).

    Raises `scoring.training.NotEnough` with one line; nothing is half-written then.
    """
    tell = progress or (lambda done, what: None)
    examples = []
    outcomes = len(endings(house))
    for place, example in enumerate(_examples(house), start=1):
        examples.append(example)
        if place % 200 == 0:
            tell(min(0.2 * place / max(2 * outcomes, 1), 0.2), "reading history")
    min_labels = house.settings.scoring.min_labels
    bundle = train(
        examples, seed=seed, min_labels=min_labels, families=families, tries=tries,
        progress=lambda done, what: tell(0.2 + 0.8 * done, what),
    )  # fmt: skip
    record = keep_model(house, bundle)
    look_alikes.refresh(house)
    log.info("model trained", version=bundle.version, examples=len(examples))
    return record


def keep_model(house: House, bundle: Bundle) -> ModelRecord:
    """Save a model and use it from now on."""
    bundle.save(house.models.path(bundle.version))
    with house.db.transaction():
        house.model_versions.add(bundle.version, bundle.metrics)
        record = house.model_versions.promote(bundle.version)
        house.audit.add("system", "model.promoted", f"model:{bundle.version}")
    return record


def endings(house: House) -> list[tuple[int, datetime, Outcome, datetime]]:
    """(lead, created, outcome, when) of every lead that ended, and of those open still of which a person said how they should
    have been scored; oldest first. How a lead really ended says more than what anybody thought of it."""
    ended = house.histories.outcomes()
    known = {lead_id for lead_id, *_ in ended}
    for lead_id, said in house.feedback.labels().items():
        lead = house.leads.get(lead_id)
        if lead is not None and not lead.erased and lead.id not in known and said.label is not None:
            ended.append((lead.id, lead.created_at, said.label, said.at))
    return sorted(ended, key=lambda one: (one[1], one[0]))


def _examples(house: House) -> Iterator[LabelledHistory]:
    """Every past lead as it stood at each of its looks, so that the model meets leads as old as those it will score."""
    for lead_id, created, outcome, ended in endings(house):
        for history in house.histories.at_each(lead_id, look_moments(created, ended)):
            yield LabelledHistory(history, outcome)
