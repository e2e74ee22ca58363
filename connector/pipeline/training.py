"""Train a model on the history that is stored: each past lead as it stood before its outcome was known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog

from connector.bootstrap import House
from connector.storage.model_versions import ModelRecord
from leads.records import LabelledHistory
from scoring.landmarks import look_moments
from scoring.training import train

log = structlog.get_logger(__name__)


def run(house: House, progress: Callable[[float, str], None] | None = None, *, seed: int = 7) -> ModelRecord:
    """Train, save and promote. Raises `scoring.training.NotEnough` with one line; nothing is half-written then."""
    tell = progress or (lambda done, what: None)
    examples = []
    outcomes = len(house.histories.outcomes())
    for place, example in enumerate(_examples(house), start=1):
        examples.append(example)
        if place % 200 == 0:
            tell(min(0.2 * place / max(2 * outcomes, 1), 0.2), "reading history")
    min_labels = house.settings.scoring.min_labels
    bundle = train(examples, seed=seed, min_labels=min_labels, progress=lambda done, what: tell(0.2 + 0.8 * done, what))
    bundle.save(house.models.path(bundle.version))
    with house.db.transaction():
        if all(known.version != bundle.version for known in house.model_versions.all()):
            house.model_versions.add(bundle.version, bundle.metrics)
        record = house.model_versions.promote(bundle.version)
        house.audit.add("system", "model.promoted", f"model:{bundle.version}")
    log.info("model trained", version=bundle.version, examples=len(examples))
    return record


def _examples(house: House) -> Iterator[LabelledHistory]:
    """Every past lead as it stood at each of its looks, so that the model meets leads as old as those it will score."""
    for lead_id, created, outcome, ended in house.histories.outcomes():
        for history in house.histories.at_each(lead_id, look_moments(created, ended)):
            yield LabelledHistory(history, outcome)
