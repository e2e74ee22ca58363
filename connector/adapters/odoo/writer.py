"""Writing to Odoo: leads compared, written one by one and read back; activities, notes and conversions are made in `made_once.py`.

Odoo's `write` answers True whatever became of the values: an automation, a computed field or a module may have put others there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.adapters.odoo.made_once import Activities, Conversions, Notes
from connector.adapters.odoo.stages import Stages
from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import LifecycleStage, Tier

#: A column that people read is kept short.
REASONS_LIMIT: Final = 1_000
PRESENT: Final = ("user_id", "stage_id", "type", "active", "probability", "date_conversion", *words.OURS)
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
LOST: Final = "unqualified"
REOPENED: Final = "open"

Record = Mapping[str, Any]


class OdooWriter:
    """Writes for one connection. Safe to share between threads."""

    def __init__(self, calls: OdooCalls, stages: Stages) -> None:
        self._calls, self._stages = calls, stages
        self._activities, self._notes, self._conversions = Activities(calls), Notes(calls), Conversions(calls)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        results = self._write_leads([write for write in writes if isinstance(write, LeadWrite)])
        done: list[Written] = []
        stopped: LeadswitchError | None = None
        for write in writes:
            if isinstance(write, LeadWrite):
                done.append(next(results))
                continue
            one = Written(False, error=stopped) if stopped else attempt(lambda write=write: self._make(write, in_doubt))  # type: ignore[misc]
            stopped = one.error if isinstance(one.error, Retriable) else None  # Odoo is not asked on in its bad moment
            done.append(one)
        return done

    def _make(self, write: CrmWrite, in_doubt: bool) -> Written:
        match write:
            case TaskWrite():
                return self._activities.write(write, in_doubt)
            case NoteWrite():
                return self._notes.write(write, in_doubt)
            case DealWrite():
                return self._conversions.write(write)
            case _:
                raise Fatal("Odoo is not written this to.")

    # --- leads

    def _write_leads(self, leads: Sequence[LeadWrite]) -> Any:
        """The results in order, as an iterator."""
        present = self._read([write.external_id for write in leads])
        sent: list[tuple[LeadWrite, dict[str, Any], Written]] = []
        stopped: LeadswitchError | None = None
        for write in leads:
            values: dict[str, Any] = {}
            if write.external_id not in present:
                result = Written(False, error=Skippable("Odoo has no such lead, or hides it from us."))
            elif stopped:
                result = Written(False, error=stopped)
            else:
                result, values = self._write_lead(write, present[write.external_id])
                present[write.external_id] = {**present[write.external_id], **(values if result.ok else {})}
            stopped = stopped or (result.error if isinstance(result.error, Retriable) else None)
            sent.append((write, values, result))
        return iter(self._read_back(sent))

    def _write_lead(self, write: LeadWrite, present: Record) -> tuple[Written, dict[str, Any]]:
        values: dict[str, Any] = {}

        def do() -> Written:
            values.update(self._differences(write, present))
            if values:
                self._calls.call(words.LEAD, "write", [int(write.external_id)], vals=values)
            changed = tuple(dict.fromkeys(CANONICAL[name] for name in values))
            return Written(True, changed, write.external_id)

        return attempt(do), values

    def _differences(self, write: LeadWrite, present: Record) -> dict[str, Any]:
        """Odoo field → value of what is not yet as wanted."""
        wanted: dict[str, Any] = {
            words.SCORE: write.score,
            words.TIER: None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper(),
            words.REASONS: write.reasons and write.reasons[:REASONS_LIMIT],
            words.ROUTED_BECAUSE: write.routed_because and write.routed_because[:REASONS_LIMIT],
            words.STATUS: write.lead_status,
        }
        if write.owner_id is not None:
            wanted["user_id"] = read_number_id(write.owner_id, "owner") if write.owner_id else False
        if write.stage is not None and (stage := self._further(LifecycleStage.read(write.stage), present)):
            wanted["stage_id"] = stage
        if write.lead_status == LOST:
            wanted |= {"active": False, "probability": 0}
        elif write.lead_status == REOPENED:
            wanted["active"] = True
        return {name: value for name, value in wanted.items() if value is not None and not _same(value, present.get(name))}

    def _further(self, wanted: LifecycleStage, present: Record) -> int | None:
        """The stage to move to, when it lies beyond where the lead is."""
        link = words.read_link(present.get("stage_id"))
        now, then = self._stages.by_id(int(link) if link else None), self._stages.for_ours(wanted)
        if then is None or (now is not None and (now.won or now.sequence >= then.sequence)):
            return None
        return then.id

    def _read(self, ids: Sequence[str]) -> dict[str, Record]:
        numbers = sorted({int(one) for one in ids if one.isdecimal() and one.isascii()})
        if not numbers:
            return {}
        rows = self._calls.search_read(words.LEAD, [["id", "in", numbers]], PRESENT)
        return {str(row["id"]): row for row in rows}

    def _read_back(self, sent: Sequence[tuple[LeadWrite, Mapping[str, Any], Written]]) -> list[Written]:
        wrote = [write.external_id for write, values, result in sent if result.ok and values]
        try:
            there = self._read(wrote)
        except Retriable:  # written it is, as far as Odoo says; the next write compares again
            return [result for _, _, result in sent]
        last = {write.external_id: number for number, (write, values, result) in enumerate(sent) if result.ok and values}
        done = []
        for number, (write, values, result) in enumerate(sent):
            if last.get(write.external_id) == number:
                result = _kept(values, there.get(write.external_id), result)
            done.append(result)
        return done


def _kept(values: Mapping[str, Any], present: Record | None, result: Written) -> Written:
    if present is None:
        return Written(False, error=Configuration("Odoo hides the lead from us since it was written.", "Look at the record rules."))
    lost = sorted(name for name, value in values.items() if not _same(value, present.get(name)))
    if not lost:
        return result
    mend = "Look for an automation rule or a module that sets it, and for who may write it."
    return Written(False, error=Configuration(f"Odoo took the write and did not keep {', '.join(lost)}.", mend))


def attempt(do: Callable[[], Written]) -> Written:
    """What came of one write; its error stays its own."""
    try:
        return do()
    except LeadswitchError as error:
        return Written(False, error=error)


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
