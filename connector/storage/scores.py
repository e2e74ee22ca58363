"""Scores by lead, newest last; the rationale is sealed under the person's key because it speaks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.storage.db import Database
from connector.storage.models import Lead as LeadRow
from connector.storage.models import Score as Row
from connector.storage.spelled import first, insert, insert_many
from connector.vault import Vault
from leads.enums import Tier
from leads.fields import PERSONAL
from leads.results import Rationale, Reason, Score


@dataclass(frozen=True, slots=True)
class StoredScore:
    """A score with its place: `version` is the lead's version it was made from."""

    id: int
    lead_id: int
    version: int
    score: Score


class Scores:
    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    def add(self, lead_id: int, version: int, score: Score) -> int:
        """Store a score; returns its id."""
        return insert(self._db, Row, _values(lead_id, version, score))

    def add_many(self, scores: Sequence[tuple[int, int, Score]]) -> None:
        """Store (lead, version, score) of many leads, within the caller's transaction."""
        insert_many(self._db, Row, [_values(lead_id, version, score) for lead_id, version, score in scores])

    def get(self, score_id: int) -> StoredScore | None:
        row = first(self._db, Row, "WHERE id = ?", score_id)
        return _stored(row) if row else None

    def newest(self, lead_id: int) -> StoredScore | None:
        """The score that stands."""
        row = first(self._db, Row, "WHERE lead_id = ? ORDER BY version DESC, id DESC", lead_id)
        return _stored(row) if row else None

    def of_lead(self, lead_id: int) -> list[StoredScore]:
        """Every score of a lead, the oldest first."""
        with self._db.connected():
            ids = self._db.run("SELECT id FROM score WHERE lead_id = ? ORDER BY id", lead_id).fetchall()
            return [found for (score_id,) in ids if (found := self.get(score_id)) is not None]

    def before(self, stored: StoredScore) -> StoredScore | None:
        """The score before this one, for the trend."""
        row = first(self._db, Row, "WHERE lead_id = ? AND id < ? ORDER BY id DESC", stored.lead_id, stored.id)
        return _stored(row) if row else None

    def set_rationale(self, score_id: int, rationale: Rationale) -> None:
        """Keep the LLM's prose with the score it speaks of."""
        with self._db.transaction():
            row = Row.get_by_id(score_id)
            lead = LeadRow.get_by_id(row.lead_id)
            if lead.data_key is None:
                return
            value: Mapping[str, Any] = {
                "text": rationale.text,
                "adjustment": rationale.adjustment,
                "intents": list(rationale.intents),
                "model": rationale.model,
            }
            sealed = self._vault.person(lead.data_key).seal_json(value)
            Row.update({Row.rationale: sealed}).where(Row.id == score_id).execute()

    def rationale(self, score_id: int) -> Rationale | None:
        with self._db.connected():
            row = first(self._db, Row, "WHERE id = ?", score_id)
            lead = first(self._db, LeadRow, "WHERE id = ?", row.lead_id) if row and row.rationale else None
            if row is None or lead is None or lead.data_key is None:
                return None
            value = self._vault.person(lead.data_key).open_json(row.rationale)
            return Rationale(value["text"], value["adjustment"], tuple(value["intents"]), value["model"])


def _values(lead_id: int, version: int, score: Score) -> dict[str, Any]:
    """The row. Of features and contributions only what says something is kept: no missing value, no nought. What is about a
    private person alone (`leads.fields.PERSONAL`) weighs in the contribution and is not kept in the clear."""
    return {
        "lead_id": lead_id,
        "version": version,
        "as_of": score.as_of,
        "probability": score.probability,
        "score": score.score,
        "tier": score.tier.value,
        "confidence": score.confidence,
        "model_version": score.model_version,
        "source": score.source,
        "base": score.base,
        "raw_score": score.raw,
        "reasons": [[r.feature, r.contribution, r.value, r.text] for r in score.reasons],
        "contributions": {name: points for name, points in score.contributions.items() if points},
        "features": {name: value for name, value in score.features.items() if value is not None and name not in PERSONAL},
        "note": score.note,
    }


def _stored(row: Row) -> StoredScore:
    score = Score(
        as_of=row.as_of,
        probability=row.probability,
        score=row.score,
        tier=Tier.read(row.tier),
        confidence=row.confidence,
        model_version=row.model_version,
        source=row.source,
        base=row.base,
        raw=row.raw_score,
        reasons=tuple(Reason(*reason) for reason in row.reasons),
        contributions=row.contributions,
        features=row.features,
        note=row.note,
    )
    return StoredScore(row.id, row.lead_id, row.version, score)
