"""Lead fields compared with what HubSpot holds and then written in batches; tasks are left to `tasks.py`.

Source: HubSpot's guide "Contacts" (batches of 100, property values are strings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.adapters.hubspot import words
from connector.adapters.hubspot.batches import Batch, record_id, send_rows
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.adapters.hubspot.made_once import MadeOnce, deal_row, note_row
from connector.adapters.hubspot.tasks import TaskWriter
from connector.clock import Clock
from connector.errors import LeadswitchError, Skippable
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import LifecycleStage, Tier, may_follow

#: HubSpot's own bounds are wider; a column that people read is kept short.
REASONS_LIMIT: Final = 1_000
#: The first stage of the pipeline that every HubSpot account begins with.
DEAL_STAGE: Final = "appointmentscheduled"
DEAL_PIPELINE: Final = "default"
PRESENT: Final = (
    "hubspot_owner_id",
    "lifecyclestage",
    "hs_lead_status",
    words.SCORE,
    words.TIER,
    words.REASONS,
    words.ROUTED_BECAUSE,
)


class HubSpotWriter:
    """Writes for one connection. Safe to share between threads."""

    def __init__(self, calls: HubSpotCalls, clock: Clock, deal_stage: str = DEAL_STAGE, deal_pipeline: str = DEAL_PIPELINE) -> None:
        self._calls, self._clock = calls, clock
        self._deal_stage, self._deal_pipeline = deal_stage, deal_pipeline
        self._tasks = TaskWriter(calls)
        self._notes, self._deals = MadeOnce(calls, "notes"), MadeOnce(calls, "deals")

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        rows = list(enumerate(writes))
        leads = [(index, write) for index, write in rows if isinstance(write, LeadWrite)]
        tasks = [(index, write) for index, write in rows if isinstance(write, TaskWrite)]
        now = self._clock.now()
        notes = [(index, note_row(write, now)) for index, write in rows if isinstance(write, NoteWrite)]
        stage, pipeline = self._deal_stage, self._deal_pipeline
        deals = [(index, deal_row(write, stage, pipeline)) for index, write in rows if isinstance(write, DealWrite)]
        done: dict[int, Written] = {}
        sorts: tuple[tuple[list[int], Callable[[], dict[int, Written]]], ...] = (
            (_indices(leads), lambda: self._write_leads(leads)),
            (_indices(tasks), lambda: self._tasks.write(tasks, in_doubt)),
            (_indices(notes), lambda: self._notes.write(notes, in_doubt)),
            (_indices(deals), lambda: self._deals.write(deals, in_doubt)),
        )
        for indices, send in sorts:
            try:
                done |= send() if indices else {}
            except LeadswitchError as error:
                if len(indices) == len(writes):
                    raise
                done |= {index: Written(False, error=error) for index in indices}
        return [done[index] for index in range(len(writes))]

    # --- leads

    def _write_leads(self, leads: Sequence[tuple[int, LeadWrite]]) -> dict[int, Written]:
        present = self._present([write.external_id for _, write in leads])
        done: dict[int, Written] = {}
        wanted: dict[str, dict[str, str]] = {}
        changed: dict[str, list[str]] = {}
        for _, write in leads:
            if write.external_id in present:
                names = _differences(write, present[write.external_id] | wanted.get(write.external_id, {}))
                wanted.setdefault(write.external_id, {}).update({name: value for name, value, _ in names})
                changed.setdefault(write.external_id, []).extend(canonical for _, _, canonical in names)
        rows = [(number, {"id": one, "properties": values}) for number, (one, values) in enumerate(wanted.items()) if values]
        results = send_rows(rows, Batch(self._update, record_id, record_id))
        by_id = {str(row["id"]): results[number] for number, row in rows}
        for index, write in leads:
            if write.external_id not in present:
                done[index] = Written(False, error=Skippable("HubSpot has no such contact."))
            else:
                result = by_id.get(write.external_id, Written(True))
                names_sent = tuple(dict.fromkeys(changed[write.external_id])) if result.ok else ()
                done[index] = Written(result.ok, names_sent, write.external_id if result.ok else None, result.error)
        return done

    def _present(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        body = {
            "inputs": [{"id": one} for one in dict.fromkeys(ids)],
            "properties": list(PRESENT),
            "propertiesWithHistory": [],
        }
        answer = self._calls.call("POST", self._calls.path("objects", "contacts/batch/read"), body=body)
        return {str(record["id"]): dict(record.get("properties") or {}) for record in answer.get("results", [])}

    def _update(self, inputs: Sequence[dict[str, Any]]) -> Any:
        return self._calls.call("POST", self._calls.path("objects", "contacts/batch/update"), body={"inputs": list(inputs)})


def _indices(rows: Sequence[tuple[int, Any]]) -> list[int]:
    return [index for index, _ in rows]


def _differences(write: LeadWrite, present: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(HubSpot property, value as text, canonical name) of what is not yet as wanted."""
    wanted = [
        ("hubspot_owner_id", write.owner_id, "owner_id"),
        (words.SCORE, None if write.score is None else str(write.score), "score"),
        (words.TIER, None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper(), "tier"),
        (words.REASONS, write.reasons and write.reasons[:REASONS_LIMIT], "reasons"),
        (words.ROUTED_BECAUSE, write.routed_because and write.routed_because[:REASONS_LIMIT], "routed_because"),
    ]
    status = str(present.get("hs_lead_status") or "").strip().lower()
    if write.lead_status and may_follow(write.lead_status, "open" if status == "new" else status):
        wanted.append(("hs_lead_status", write.lead_status.upper(), "lead_status"))
    if write.stage is not None and words.is_further(write.stage, present.get("lifecyclestage")):
        wanted.append(("lifecyclestage", words.STAGE_WORDS[LifecycleStage.read(write.stage)], "lifecycle_stage"))
    return [
        (name, value, canonical) for name, value, canonical in wanted if value is not None and not _same(value, present.get(name))
    ]


def _same(wanted: str, present: Any) -> bool:
    if present is None:
        return wanted == ""
    text = str(present).strip()
    if text == wanted.strip():
        return True
    try:
        return float(text) == float(wanted)  # HubSpot may show 87 as 87.0
    except ValueError:
        return False
