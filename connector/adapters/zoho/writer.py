"""Lead fields compared with what Zoho holds, written in batches, and read back: Zoho says SUCCESS also for what it did not keep.

Source: Zoho's reference of "Update records" (100 a call, one answer a row).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.adapters.zoho import words
from connector.adapters.zoho.batches import Row, send_rows
from connector.adapters.zoho.calls import BATCH, ZohoCalls
from connector.adapters.zoho.made_once import DealWriter, NoteWriter, TaskWriter
from connector.adapters.zoho.records import is_converted
from connector.errors import Configuration, LeadswitchError, Skippable
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import Tier, may_follow

#: A column that people read is kept short; Zoho's small text area holds 2,000.
REASONS_LIMIT: Final = 1_000
PRESENT: Final = ("Owner", "Lead_Status", words.SCORE, words.TIER, words.REASONS, words.ROUTED_BECAUSE, words.STAGE, "Converted__s")

Values = dict[str, Any]  # field of Zoho's → value


class ZohoWriter:
    """Writes for one connection. Safe to share between threads. `spare` gives the owner of what nobody owns."""

    def __init__(
        self,
        calls: ZohoCalls,
        status_words: Mapping[str, str],
        spare: Callable[[], str],
        kinds: tuple[TaskWriter, NoteWriter, DealWriter],
    ) -> None:
        self._calls, self._status_words, self._spare = calls, status_words, spare
        self._tasks, self._notes, self._deals = kinds

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        numbered = list(enumerate(writes))
        leads = [(index, write) for index, write in numbered if isinstance(write, LeadWrite)]
        tasks = [(index, write) for index, write in numbered if isinstance(write, TaskWrite)]
        notes = [(index, write) for index, write in numbered if isinstance(write, NoteWrite)]
        deals = [(index, write) for index, write in numbered if isinstance(write, DealWrite)]
        kinds: list[tuple[Sequence[tuple[int, Any]], Callable[[], dict[int, Written]]]] = [
            (leads, lambda: self._write_leads(leads)),
            (tasks, lambda: self._tasks.write(tasks, in_doubt)),
            (notes, lambda: self._notes.write(notes, in_doubt)),
            (deals, lambda: self._deals.write(deals)),  # last: a converted lead takes no more fields
        ]
        done: dict[int, Written] = {}
        for given, send in kinds:
            if not given:
                continue
            try:
                done |= send()
            except LeadswitchError as error:
                if not done and len(given) == len(writes):
                    raise
                done |= {index: Written(False, error=error) for index, _ in given}
        return [done[index] for index in range(len(writes))]

    def _write_leads(self, leads: Sequence[tuple[int, LeadWrite]]) -> dict[int, Written]:
        present = self._present([write.external_id for _, write in leads])
        wanted: dict[str, Values] = {}
        changed: dict[str, list[str]] = {}
        refused: dict[int, LeadswitchError] = {}
        for index, write in leads:
            record = present.get(write.external_id)
            if record is None:
                refused[index] = Skippable("Zoho has no such lead.")
            elif is_converted(record):
                refused[index] = Skippable("The lead was converted, and takes no more changes.")
            else:
                named = self._differences(write, record | wanted.get(write.external_id, {}))
                wanted.setdefault(write.external_id, {}).update({name: value for name, value, _ in named})
                changed.setdefault(write.external_id, []).extend(canonical for _, _, canonical in named)
        rows: list[Row] = [(number, {"id": one, **values}) for number, (one, values) in enumerate(wanted.items()) if values]
        results = self._kept(rows, send_rows(self._calls, "PUT", "Leads", rows, idempotent=True))
        by_id = {str(row["id"]): results[number] for number, row in rows}
        done: dict[int, Written] = {}
        for index, write in leads:
            if index in refused:
                done[index] = Written(False, error=refused[index])
                continue
            result = by_id.get(write.external_id, Written(True))
            sent = tuple(dict.fromkeys(changed[write.external_id])) if result.ok else ()
            done[index] = Written(result.ok, sent, write.external_id if result.ok else None, result.error)
        return done

    def _kept(self, rows: Sequence[Row], results: dict[int, Written]) -> dict[int, Written]:
        """The results, those rows refused that Zoho took and did not keep."""
        sent = {number: row for number, row in rows if results[number].ok}
        held = self._present([str(row["id"]) for row in sent.values()])
        for number, row in sent.items():
            record = held.get(str(row["id"]), {})
            lost = [name for name, value in row.items() if name != "id" and not _same(value, record.get(name))]
            if lost:
                message = f"Zoho took the write of {', '.join(lost)} and kept the old value."
                mend = "Let the token's user edit these fields of leads, and look for assignment rules that change them."
                results[number] = Written(False, error=Configuration(message, mend))
        return results

    def _present(self, ids: Sequence[str]) -> dict[str, Values]:
        wanted = [one for one in dict.fromkeys(ids) if one.isdecimal()]
        found: dict[str, Values] = {}
        for start in range(0, len(wanted), BATCH):
            asked = {"ids": ",".join(wanted[start : start + BATCH]), "fields": ",".join(PRESENT), "converted": "both"}
            answer = self._calls.call("GET", "Leads", params=asked)
            found |= {str(record["id"]): dict(record) for record in answer.get("data") or ()}
        return found

    def _differences(self, write: LeadWrite, present: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
        """(field of Zoho's, value, canonical name) of what is not yet as wanted."""
        owner = self._spare() if write.owner_id == "" else write.owner_id
        tier = None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper()
        wanted: list[tuple[str, Any, str]] = [
            ("Owner", owner and {"id": owner}, "owner_id"),
            (words.SCORE, write.score, "score"),
            (words.TIER, tier, "tier"),
            (words.REASONS, write.reasons and write.reasons[:REASONS_LIMIT], "reasons"),
            (words.ROUTED_BECAUSE, write.routed_because and write.routed_because[:REASONS_LIMIT], "routed_because"),
        ]
        if write.stage is not None and words.is_further(write.stage, present.get(words.STAGE)):
            wanted.append((words.STAGE, write.stage, "lifecycle_stage"))
        status = words.read_status(present.get("Lead_Status"), self._status_words)
        if write.lead_status is not None and may_follow(write.lead_status, "unqualified" if status in words.LOST else status):
            wanted.append(("Lead_Status", self._status_words.get(write.lead_status, write.lead_status), "lead_status"))
        return [one for one in wanted if one[1] is not None and not _same(one[1], present.get(one[0]))]


def _same(wanted: Any, present: Any) -> bool:
    if isinstance(wanted, Mapping):
        return words.read_lookup(wanted) == words.read_lookup(present)
    if present is None:
        return bool(wanted == "")
    return str(wanted).strip() == str(present).strip()
