"""Writing to Odoo: leads compared, written one by one and read back; activities, notes and conversions are made in `made_once.py`.

Odoo's `write` answers True whatever became of the values: an automation, a computed field or a module may have put others there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.adapters.odoo.made_once import Activities, Conversions, Notes
from connector.adapters.odoo.stages import Stages
from connector.clock import Clock
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.one_by_one import write_each
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import LifecycleStage, Tier, may_follow

#: A column that people read is kept short.
REASONS_LIMIT: Final = 1_000
PRESENT: Final = ("user_id", "team_id", "stage_id", "type", "active", "probability", "date_conversion", *words.OURS)
#: Odoo field → our name for it, in `Written.changed`.
CANONICAL: Final[Mapping[str, str]] = {
    "user_id": "owner_id",
    "stage_id": "lifecycle_stage",
    "active": "lead_status",
    "probability": "lead_status",
    words.SCORE: "score",
    words.TIER: "tier",
    words.REASONS: "reasons",
    words.ROUTED_BECAUSE: "routed_because",
    words.STATUS: "lead_status",
}

Record = Mapping[str, Any]


class OdooWriter:
    """Writes for one connection. Safe to share between threads."""

    def __init__(self, calls: OdooCalls, stages: Stages, clock: Clock) -> None:
        self._calls, self._stages, self._clock = calls, stages, clock
        self._activities, self._notes, self._conversions = Activities(calls), Notes(calls), Conversions(calls)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        leads = [write.external_id for write in writes if isinstance(write, LeadWrite)]
        present = self._read(leads)
        sent: list[dict[str, Any]] = []

        def write_one(write: CrmWrite) -> Written:
            sent.append({})
            return self._write_lead(write, present, sent) if isinstance(write, LeadWrite) else self._make(write, in_doubt)

        return self._read_back(writes, sent, write_each(writes, write_one, self._clock))

    def _make(self, write: CrmWrite, in_doubt: bool) -> Written:
        match write:
            case TaskWrite():
                return self._activities.write(write, in_doubt)
            case NoteWrite():
                return self._notes.write(write, in_doubt)
            case DealWrite():
                return self._conversions.write(write, in_doubt)
            case _:
                raise Fatal("Odoo is not written this to.")

    # --- leads

    def _write_lead(self, write: LeadWrite, present: dict[str, Record], sent: list[dict[str, Any]]) -> Written:
        """Write what differs, and put what was sent last into `sent`."""
        if write.external_id not in present:
            raise Skippable("Odoo has no such lead, or hides it from us.")
        values = self._differences(write, present[write.external_id])
        if values:
            self._calls.call(words.LEAD, "write", [int(write.external_id)], vals=values)
            present[write.external_id] = {**present[write.external_id], **values}
            sent[-1] = values
        return Written(True, tuple(dict.fromkeys(CANONICAL[name] for name in values)), write.external_id)

    def _differences(self, write: LeadWrite, present: Record) -> dict[str, Any]:
        """Odoo field → value of what is not yet as wanted."""
        wanted: dict[str, Any] = {
            words.SCORE: write.score,
            words.TIER: None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper(),
            words.REASONS: write.reasons and write.reasons[:REASONS_LIMIT],
            words.ROUTED_BECAUSE: write.routed_because and write.routed_because[:REASONS_LIMIT],
        }
        if write.owner_id is not None:
            wanted["user_id"] = read_number_id(write.owner_id, "owner") if write.owner_id else False
        if write.stage is not None and (stage := self._further(LifecycleStage.read(write.stage), present)):
            wanted["stage_id"] = stage
        if write.lead_status and self._may_follow(write.lead_status, present):
            wanted[words.STATUS] = write.lead_status
            if write.lead_status == words.LOST:
                wanted |= {"active": False, "probability": 0}
            elif write.lead_status == words.OPEN:
                wanted["active"] = True
        return {name: value for name, value in wanted.items() if value is not None and not _same(value, present.get(name))}

    def _may_follow(self, wanted: str, present: Record) -> bool:
        """Whether a status may be written: not backwards, and nothing over a deal that was won."""
        stage = self._stages.of(present)
        return not (stage is not None and stage.won) and may_follow(wanted, words.read_status(present))

    def _further(self, wanted: LifecycleStage, present: Record) -> int | None:
        """The stage to move to, when it lies beyond where the lead is."""
        now, then = self._stages.of(present), self._stages.for_ours(wanted, present)
        if then is None or (now is not None and (now.won or now.sequence >= then.sequence)):
            return None
        return then.id

    def _read(self, ids: Sequence[str]) -> dict[str, Record]:
        numbers = sorted({int(one) for one in ids if one.isdecimal() and one.isascii()})
        if not numbers:
            return {}
        rows = self._calls.search_read(words.LEAD, [["id", "in", numbers]], PRESENT)
        return {str(row["id"]): row for row in rows}

    def _read_back(
        self, writes: Sequence[CrmWrite], sent: Sequence[Mapping[str, Any]], results: Sequence[Written]
    ) -> list[Written]:
        """The results again, those that Odoo did not keep as errors. Of several writes to one lead the last is looked at."""
        wrote = {writes[number].external_id: number for number, values in enumerate(sent) if values}
        done = list(results)
        try:
            there = self._read(list(wrote))
        except Retriable:  # written it is, as far as Odoo says; the next write compares again
            return done
        for lead, number in wrote.items():
            done[number] = _kept(sent[number], there.get(lead), done[number])
        return done


def _kept(values: Mapping[str, Any], present: Record | None, result: Written) -> Written:
    if present is None:
        return Written(False, error=Configuration("Odoo hides the lead from us since it was written.", "Look at the record rules."))
    lost = sorted(name for name, value in values.items() if not _same(value, present.get(name)))
    if not lost:
        return result
    mend = "Look for an automation rule or a module that sets it, and for who may write it."
    return Written(False, error=Configuration(f"Odoo took the write and did not keep {', '.join(lost)}.", mend))


def read_number_id(text: str, what: str) -> int:
    """An id of ours as Odoo has it. Raises `Fatal`."""
    if not (text.isdecimal() and text.isascii() and len(text) <= 10):
        raise Fatal(f"An {what} id of Odoo is a number.")
    return int(text)


def _same(wanted: Any, present: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(present, bool):  # False is also Odoo's empty value
        return wanted is present or (wanted is False and present in (None, 0)) or (present is False and wanted == "")
    if isinstance(present, list | tuple):
        return words.read_link(present) == str(wanted)
    if isinstance(wanted, int | float):
        return isinstance(present, int | float) and abs(wanted - present) < 1e-6
    return str(present or "").strip() == str(wanted).strip()
