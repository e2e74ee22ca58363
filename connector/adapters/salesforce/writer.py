"""Lead fields compared with what Salesforce holds and then written together; what is made beside leads is left to others.

Source: Salesforce's Object Reference, "Lead" (a converted lead is read-only) and "LeadStatus" (SortOrder).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.conversion import Converter
from connector.adapters.salesforce.ids import is_same, long_or_none
from connector.adapters.salesforce.notes import NoteWriter
from connector.adapters.salesforce.refusals import GONE
from connector.adapters.salesforce.rows import Row, update_rows
from connector.adapters.salesforce.shape import Shape
from connector.adapters.salesforce.tasks import TaskWriter
from connector.errors import LeadswitchError, Skippable
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import Tier

#: Salesforce's own bounds are wider; a column that people read is kept short.
REASONS_LIMIT: Final = 1_000
PRESENT: Final = (
    "Id, OwnerId, Status, IsConverted, ConvertedContactId, ConvertedOpportunityId, "
    f"{words.SCORE}, {words.TIER}, {words.REASONS}, {words.ROUTED_BECAUSE}, {words.STAGE}"
)
Record = Mapping[str, Any]


class SalesforceWriter:
    """Writes for one connection. Safe to share between threads.

    `statuses` are the org's own words for our lead statuses; a lead whose owner is taken away goes to `queue_id`, if there is one.
    """

    def __init__(
        self, calls: SalesforceCalls, shape: Shape, statuses: Mapping[str, str], queue_id: str | None, converted_status: str | None
    ) -> None:
        self._calls, self._shape, self._statuses, self._queue_id = calls, shape, statuses, queue_id
        self._tasks, self._notes = TaskWriter(calls), NoteWriter(calls)
        self._converter = Converter(calls, shape, converted_status)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        if not writes:
            return []
        present = self._present([write.external_id for write in writes])
        done = {
            index: Written(False, error=Skippable("Salesforce has no such lead: it was deleted or merged into another."))
            for index, write in enumerate(writes)
            if long_or_none(write.external_id) not in present
        }
        for kind, carry_out in self._kinds(present, in_doubt).items():
            mine = [(index, write) for index, write in enumerate(writes) if isinstance(write, kind) and index not in done]
            if not mine:
                continue
            try:
                done |= carry_out(mine)
            except LeadswitchError as error:
                if len(mine) == len(writes):
                    raise
                done |= {index: Written(False, error=error) for index, _ in mine}
        return [done[index] for index in range(len(writes))]

    def _kinds(
        self, present: Mapping[str, Record], in_doubt: bool
    ) -> dict[type[CrmWrite], Callable[[Sequence[tuple[int, Any]]], dict[int, Written]]]:
        return {
            LeadWrite: lambda mine: self._write_leads(mine, present),
            TaskWrite: lambda mine: self._tasks.write(mine, _people(present), in_doubt),
            NoteWrite: lambda mine: self._notes.write(mine, _people(present), in_doubt),
            DealWrite: lambda mine: self._converter.write(mine, present),
        }

    def _present(self, ids: Sequence[str]) -> dict[str, Record]:
        known = [one for one in map(long_or_none, ids) if one]
        if not known:
            return {}
        found = soql.rows(self._calls, f"SELECT {PRESENT} FROM Lead WHERE Id IN {soql.any_of(known)}")  # noqa: S608 - SOQL, quoted
        return {str(long_or_none(one["Id"])): one for one in found}

    def _write_leads(self, leads: Sequence[tuple[int, LeadWrite]], present: Mapping[str, Record]) -> dict[int, Written]:
        done: dict[int, Written] = {}
        wanted: dict[str, dict[str, Any]] = {}
        changed: dict[str, list[str]] = {}
        for index, write in leads:
            lead = str(long_or_none(write.external_id))
            if present[lead].get("IsConverted"):
                done[index] = Written(False, error=Skippable(f"Not written: {GONE['CANNOT_UPDATE_CONVERTED_LEAD']}."))
                continue
            names = self._differences(write, {**present[lead], **wanted.get(lead, {})})
            wanted.setdefault(lead, {}).update({name: value for name, value, _ in names})
            changed.setdefault(lead, []).extend(canonical for _, _, canonical in names)
        rows: list[Row] = [(number, {"id": lead, **values}) for number, (lead, values) in enumerate(wanted.items()) if values]
        results = update_rows(self._calls, "Lead", rows)
        by_lead = {str(values["id"]): results[number] for number, values in rows}
        for index, write in leads:
            if index not in done:
                lead = str(long_or_none(write.external_id))
                result = by_lead.get(lead, Written(True))
                sent = tuple(dict.fromkeys(changed[lead])) if result.ok else ()
                done[index] = Written(result.ok, sent, lead if result.ok else None, result.error)
        return done

    def _differences(self, write: LeadWrite, present: Record) -> list[tuple[str, Any, str]]:
        """(Salesforce's field, value, canonical name) of what is not yet as wanted."""
        wanted: list[tuple[str, Any, str]] = [
            (words.SCORE, write.score, "score"),
            (words.TIER, None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper(), "tier"),
            (words.REASONS, write.reasons and write.reasons[:REASONS_LIMIT], "reasons"),
            (words.ROUTED_BECAUSE, write.routed_because and write.routed_because[:REASONS_LIMIT], "routed_because"),
        ]
        owner = self._queue_id if write.owner_id == "" else write.owner_id
        if owner and not is_same(owner, present.get("OwnerId")):
            wanted.append(("OwnerId", owner, "owner_id"))
        if write.stage is not None and words.is_further(write.stage, present.get(words.STAGE)):
            wanted.append((words.STAGE, write.stage, "lifecycle_stage"))
        if write.lead_status and (status := self._status(write.lead_status, str(present.get("Status") or ""))):
            wanted.append(("Status", status, "lead_status"))
        return [one for one in wanted if one[1] is not None and not _same(one[1], present.get(one[0]))]

    def _status(self, wanted: str, present: str) -> str | None:
        """The org's word for a lead status, if its picklist has it further on than the present one, and neither says converted."""
        word = self._statuses.get(wanted)
        known = {status.name.lower(): status for status in self._shape.statuses()}
        there, here = known.get((word or "").lower()), known.get(present.lower())
        if there is None or there.converted or (here is not None and (here.converted or here.place >= there.place)):
            return None
        return there.name


def _people(present: Mapping[str, Record]) -> dict[str, str]:
    """Lead id → whose activities are: the lead's, or once it was converted its contact's."""
    contacts = {lead: one.get("ConvertedContactId") for lead, one in present.items() if one.get("IsConverted")}
    return {lead: str(contacts.get(lead) or lead) for lead in present}


def _same(wanted: Any, present: Any) -> bool:
    if isinstance(wanted, int) and isinstance(present, int | float):
        return wanted == present
    return str(wanted).strip() == ("" if present is None else str(present).strip())
