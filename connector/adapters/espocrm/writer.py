"""Writing to EspoCRM: leads compared, written one by one, and the answer compared again; tasks, notes and conversions are made in
`made_once.py`.

EspoCRM answers 200 and leaves out what it does not know or what the role may not edit: the answer shows what the record holds now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapters.espocrm import words
from connector.adapters.espocrm.calls import EspoCalls
from connector.adapters.espocrm.made_once import Conversions, Notes, Tasks
from connector.adapters.espocrm.words import Names
from connector.clock import Clock
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.one_by_one import write_each
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import STAGE_ORDER, LifecycleStage, Tier

#: A column that people read is kept short.
REASONS_LIMIT: Final = 1_000
#: Our writes concern records that exist: that they are like others is nobody's question.
NO_DUPLICATE_CHECK: Final = {"x-skip-duplicate-check": "true"}

Record = Mapping[str, Any]


class EspoWriter:
    """Writes for one connection. Safe to share between threads."""

    def __init__(self, calls: EspoCalls, names: Names, clock: Clock, connection: str, close_days: int) -> None:
        self._calls, self._names, self._clock, self._connection = calls, names, clock, connection
        self._tasks, self._notes = Tasks(calls), Notes(calls)
        self._conversions = Conversions(calls, clock, close_days)
        self._canonical = {
            "assignedUserId": "owner_id",
            "status": "lead_status",
            names.score: "score",
            names.tier: "tier",
            names.reasons: "reasons",
            names.routed_because: "routed_because",
            names.stage: "lifecycle_stage",
        }

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        leads = [write.external_id for write in writes if isinstance(write, LeadWrite)]
        present = self._calls.by_ids(words.LEAD, leads, ("assignedUserId", "status", *self._names.all())) if leads else {}
        return write_each(writes, lambda write: self._one(write, present, in_doubt), self._clock)

    def _one(self, write: CrmWrite, present: dict[str, Record], in_doubt: bool) -> Written:
        match write:
            case LeadWrite():
                return self._lead(write, present)
            case TaskWrite():
                return self._tasks.write(write, in_doubt)
            case NoteWrite():
                return self._notes.write(write, in_doubt)
            case DealWrite():
                return self._conversions.write(write)
            case _:
                raise Fatal("EspoCRM is not written this to.")

    # --- leads

    def _lead(self, write: LeadWrite, present: dict[str, Record]) -> Written:
        if write.external_id not in present:
            raise Skippable("EspoCRM has no such lead, or hides it from us.")
        values = self._differences(write, present[write.external_id])
        if not values:
            return Written(True, (), write.external_id)
        now = self._calls.call("PUT", f"{words.LEAD}/{write.external_id}", body=values, headers=NO_DUPLICATE_CHECK)
        if not isinstance(now, dict):
            raise Retriable("EspoCRM answered a write with something that is not a record.")
        present[write.external_id] = {**present[write.external_id], **now}
        self._check_kept(values, now)
        changed = tuple(dict.fromkeys(self._canonical[name] for name in values))
        return Written(True, changed, write.external_id)

    def _check_kept(self, values: Record, now: Record) -> None:
        unknown = sorted(name for name in values if name not in now)
        if unknown:
            mend = f"Run: leadswitch connections test {self._connection} --mend"
            raise Configuration(f"EspoCRM has no {', '.join(unknown)} on leads, or the role may not read it.", mend)
        lost = sorted(name for name, value in values.items() if not _same(value, now.get(name)))
        if lost:
            mend = "Let the role edit it (field level), and look for a formula or workflow that sets it."
            raise Configuration(f"EspoCRM took the write and did not keep {', '.join(lost)}.", mend)

    def _differences(self, write: LeadWrite, present: Record) -> dict[str, Any]:
        """Attribute → value of what is not yet as wanted."""
        names = self._names
        wanted: dict[str, Any] = {
            names.score: write.score,
            names.tier: None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper(),
            names.reasons: write.reasons and write.reasons[:REASONS_LIMIT],
            names.routed_because: write.routed_because and write.routed_because[:REASONS_LIMIT],
        }
        if write.stage is not None and self._is_further(LifecycleStage.read(write.stage), present):
            wanted[names.stage] = write.stage
        word, follows = words.STATUS_WORDS.get(write.lead_status or "", ("", frozenset()))
        if word and present.get("status") in follows:
            wanted["status"] = word
        told = {name: value for name, value in wanted.items() if value is not None}
        if write.owner_id is not None:
            told["assignedUserId"] = write.owner_id or None
        return {name: value for name, value in told.items() if not _same(value, present.get(name))}

    def _is_further(self, wanted: LifecycleStage, present: Record) -> bool:
        return STAGE_ORDER.index(wanted) > STAGE_ORDER.index(words.read_stage(present, self._names))


def _same(wanted: Any, present: Any) -> bool:
    if isinstance(wanted, int | float) and isinstance(present, int | float):
        return abs(wanted - present) < 1e-6
    return str(wanted if wanted is not None else "").strip() == str(present if present is not None else "").strip()
