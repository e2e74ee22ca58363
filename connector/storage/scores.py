"""Scores by lead, newest last. Sealed under the person's key are the rationale, because it speaks of them, and all that is said of
the tenant's own columns, since nobody knows what a tenant puts there (see `facts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.clock import to_ms
from connector.storage.db import Database, marks
from connector.storage.facts import EXTRA
from connector.storage.models import Lead as LeadRow
from connector.storage.models import Score as Row
from connector.storage.spelled import first, insert, insert_many
from connector.vault import PersonSeal, Vault
from leads.enums import Tier
from leads.fields import PERSONAL
from leads.records import FieldValue
from leads.results import Rationale, Reason, Score

_PERSONAL: Final = frozenset(PERSONAL)


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
        return insert(self._db, Row, _values(lead_id, version, score, self._seals([(lead_id, version, score)])))

    def add_many(self, scores: Sequence[tuple[int, int, Score]]) -> None:
        """Store (lead, version, score) of many leads, within the caller's transaction."""
        seals = self._seals(scores)
        insert_many(self._db, Row, [_values(lead_id, version, score, seals) for lead_id, version, score in scores])

    def get(self, score_id: int) -> StoredScore | None:
        row = first(self._db, Row, "WHERE id = ?", score_id)
        return self._opened(row) if row else None

    def newest(self, lead_id: int) -> StoredScore | None:
        """The score that stands."""
        row = first(self._db, Row, "WHERE lead_id = ? ORDER BY version DESC, id DESC", lead_id)
        return self._opened(row) if row else None

    def of_lead(self, lead_id: int) -> list[StoredScore]:
        """Every score of a lead, the oldest first."""
        with self._db.connected():
            ids = self._db.run("SELECT id FROM score WHERE lead_id = ? ORDER BY id", lead_id).fetchall()
            return [found for (score_id,) in ids if (found := self.get(score_id)) is not None]

    def before(self, stored: StoredScore) -> StoredScore | None:
        """The score before this one, for the trend."""
        row = first(self._db, Row, "WHERE lead_id = ? AND id < ? ORDER BY id DESC", stored.lead_id, stored.id)
        return self._opened(row) if row else None

    def forget(self, before: datetime, limit: int) -> int:
        """Drop the oldest scores of before this moment, at most so many; returns how many went.

        Those that stand, and those that a decision rests on, are kept.
        """
        stands = "EXISTS (SELECT 1 FROM lead WHERE lead.id = score.lead_id AND lead.score_id = score.id)"
        decided = "EXISTS (SELECT 1 FROM decision WHERE decision.lead_id = score.lead_id AND decision.score_id = score.id)"
        old = f"SELECT id FROM score WHERE as_of < ? AND NOT {stands} AND NOT {decided} ORDER BY as_of LIMIT {int(limit)}"  # noqa: S608
        with self._db.transaction():
            return int(self._db.run(f"DELETE FROM score WHERE id IN ({old})", to_ms(before)).rowcount)  # noqa: S608

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

    def _seals(self, scores: Sequence[tuple[int, int, Score]]) -> Mapping[int, PersonSeal | None]:
        """The seals of the leads whose scores speak of columns of the tenant's own; None for who was erased."""
        # One text is searched in a tenth of the time that a hundred names take, and nearly every lead has none of its own.
        own = [lead_id for lead_id, _, score in scores if f"\n{EXTRA}" in "\n".join(("", *score.features))]
        if not own:
            return {}
        with self._db.connected():
            keys = self._db.run(f"SELECT id, data_key FROM lead WHERE id IN ({marks(own)})", *own).fetchall()  # noqa: S608
        found = {lead_id: self._vault.person(bytes(key)) for lead_id, key in keys if key is not None}
        return {lead_id: found.get(lead_id) for lead_id in own}

    def _opened(self, row: Row) -> StoredScore:
        if row.sealed is None:
            return _stored(row, {}, {})
        with self._db.connected():
            lead = first(self._db, LeadRow, "WHERE id = ?", row.lead_id)
        if lead is None or lead.data_key is None:
            return _stored(row, {}, {})
        told = self._vault.person(lead.data_key).open_json(row.sealed)
        return _stored(row, told["features"], told["reasons"])


def _values(lead_id: int, version: int, score: Score, seals: Mapping[int, PersonSeal | None]) -> dict[str, Any]:
    """The row. Of features and contributions only what says something is kept: no missing value, no nought. What is about a
    private person alone (`leads.fields.PERSONAL`) weighs in the contribution and is not kept in the clear. Values of the tenant's
    own columns, and the words about them, are sealed; in the clear such a reason is the column's name."""
    known = {name: value for name, value in score.features.items() if value is not None and name not in _PERSONAL}
    own = {name: value for name, value in known.items() if name.startswith(EXTRA)} if lead_id in seals else {}
    told = {reason.feature: [reason.value, reason.text] for reason in score.reasons if reason.feature.startswith(EXTRA)}
    seal = seals.get(lead_id)
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
        "reasons": [
            [one.feature, one.contribution, None, one.feature.removeprefix(EXTRA)]
            if one.feature in told
            else [one.feature, one.contribution, one.value, one.text]
            for one in score.reasons
        ],
        "contributions": {name: points for name, points in score.contributions.items() if points},
        "features": {name: value for name, value in known.items() if name not in own} if own else known,
        "note": score.note,
        "sealed": seal.seal_json({"features": own, "reasons": told}) if seal and (own or told) else None,
    }


def _stored(row: Row, own: Mapping[str, FieldValue], told: Mapping[str, Sequence[Any]]) -> StoredScore:
    """`own` are the values of the tenant's columns, `told` the value and the words of reasons about them, as opened."""
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
        reasons=tuple(Reason(name, points, *told.get(name, (value, text))) for name, points, value, text in row.reasons),
        contributions=row.contributions,
        features={**row.features, **own},
        note=row.note,
    )
    return StoredScore(row.id, row.lead_id, row.version, score)
