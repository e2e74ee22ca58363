"""Lead fields compared with what Pipedrive holds and then written, person by person: Pipedrive has no batch update.

Source: Pipedrive's reference of /api/v2/persons (PATCH answers with the record as it is then) and of /v1/leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.calls import BATCH, PipedriveCalls
from connector.adapters.pipedrive.fields import CustomField, FieldBook
from connector.adapters.pipedrive.made_once import DealWriter, NoteWriter, TaskWriter
from connector.clock import Clock
from connector.errors import Configuration, Fatal, Skippable
from connector.one_by_one import write_each
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from leads.enums import Tier, may_follow

#: A column that people read is kept short.
REASONS_LIMIT: Final = 1_000

Sent = tuple[str, Any, str]  # key of the field in Pipedrive, value to send, canonical name


class PipedriveWriter:
    """Writes for one connection. Safe to share between threads. `spare` gives the owner of what nobody owns."""

    def __init__(self, calls: PipedriveCalls, book: FieldBook, connection: str, spare: Callable[[], str], clock: Clock) -> None:
        self._calls, self._book, self._connection, self._spare, self._clock = calls, book, connection, spare, clock
        self._tasks = TaskWriter(calls)
        self._notes = NoteWriter(calls)
        self._deals = DealWriter(calls, book, connection)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool) -> list[Written]:
        """One result a write, in the order given. Raises only when nothing of it could be done."""
        if len(writes) > 100:
            raise ValueError("at most 100 writes")
        present = self._present([write.external_id for write in writes if isinstance(write, LeadWrite)])
        broken: list[Configuration] = []  # concerns the whole connection: the rest is not tried

        def write_one(write: CrmWrite) -> Written:
            try:
                if broken:
                    raise broken[0]
                return self._one(write, present, in_doubt)
            except Configuration as error:
                broken.append(error)
                raise

        done = write_each(writes, write_one, self._clock)
        if broken and not any(result.ok for result in done):
            raise broken[0]
        return done

    def _one(self, write: CrmWrite, present: dict[str, dict[str, Any]], in_doubt: bool) -> Written:
        match write:
            case LeadWrite():
                return self._write_lead(write, present)
            case TaskWrite():
                return self._tasks.write(write, in_doubt)
            case NoteWrite():
                return self._notes.write(write, in_doubt)
            case DealWrite():
                return self._deals.write(write, in_doubt)
            case _:
                raise Fatal("Pipedrive is not written this to.")

    # --- leads

    def _present(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        wanted = [one for one in dict.fromkeys(ids) if one.isdecimal()]
        if not wanted:
            return {}
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), BATCH):
            asked = {"ids": ",".join(wanted[start : start + BATCH]), "limit": BATCH}
            answer = self._calls.call("GET", "/api/v2/persons", params=asked)
            found |= {str(one["id"]): dict(one) for one in answer.get("data") or () if not one.get("is_deleted")}
        return found

    def _write_lead(self, write: LeadWrite, present: dict[str, dict[str, Any]]) -> Written:
        person = present.get(write.external_id)
        if person is None:
            return Written(False, error=Skippable("Pipedrive has no such person."))
        owner = _owner(write, self._spare)
        sent = self._differences(write, owner, person)
        if not sent:
            return Written(True, (), write.external_id)
        if any(name == "owner_id" for _, _, name in sent):
            self._give_leads(write.external_id, int(owner or 0))  # first, so that a crash between is mended by the next try
        body: dict[str, Any] = {key: value for key, value, name in sent if name == "owner_id"}
        custom = {key: value for key, value, name in sent if name != "owner_id"}
        if custom:
            body["custom_fields"] = custom
        answer = self._calls.call("PATCH", f"/api/v2/persons/{write.external_id}", body=body)
        kept = dict(answer.get("data") or {})
        self._check_kept(sent, kept)
        present[write.external_id] = {**person, **kept}
        return Written(True, tuple(name for _, _, name in sent), write.external_id)

    def _differences(self, write: LeadWrite, owner: str | None, person: Mapping[str, Any]) -> list[Sent]:
        """What is not yet as wanted."""
        tier = None if write.tier in (None, Tier.UNKNOWN) else write.tier.value.upper()
        asked: list[tuple[str, str | int | None, str]] = [
            (words.SCORE, write.score, "score"),
            (words.TIER, tier, "tier"),
            (words.REASONS, write.reasons and write.reasons[:REASONS_LIMIT], "reasons"),
            (words.ROUTED_BECAUSE, write.routed_because and write.routed_because[:REASONS_LIMIT], "routed_because"),
            (words.STATUS, write.lead_status, "lead_status"),
            (words.STAGE, write.stage, "lifecycle_stage"),
        ]
        wanted = [(name, value, canonical) for name, value, canonical in asked if value is not None]
        fields = self._book.named("person", self._connection, *(name for name, _, _ in wanted))
        held = person.get("custom_fields") or {}
        sent: list[Sent] = []
        if owner is not None and str(person.get("owner_id")) != owner:
            sent.append(("owner_id", int(owner), "owner_id"))
        for field, (name, value, canonical) in zip(fields, wanted, strict=True):
            present = field.read(held.get(field.key))
            if name == words.STAGE and not _may_move(str(value), held.get(field.key), present):
                continue
            if name == words.STATUS and not _may_follow(str(value), held.get(field.key), present):
                continue
            if not _same(value, present):
                sent.append((field.key, field.write(value), canonical))
        return sent

    def _give_leads(self, person: str, owner: int) -> None:
        """The person's open Leads go to the same owner: people work in the Leads Inbox."""
        answer = self._calls.call("GET", "/v1/leads", params={"person_id": person, "limit": BATCH})
        for lead in answer.get("data") or ():
            if not lead.get("is_archived") and lead.get("owner_id") != owner:
                self._calls.call("PATCH", f"/v1/leads/{lead['id']}", body={"owner_id": owner})

    def _check_kept(self, sent: Sequence[Sent], kept: Mapping[str, Any]) -> None:
        """Pipedrive answers 200 also where a permission keeps a field as it was."""
        held = kept.get("custom_fields") or {}
        for key, value, name in sent:
            present = kept.get(key) if name == "owner_id" else held.get(key)
            present = CustomField(name, key).read(present)
            if not _same(value, present):
                message = f"Pipedrive took the write of {name} and kept the old value."
                raise Configuration(message, "Let the token's user edit that field of persons.")


def _owner(write: LeadWrite, spare: Callable[[], str]) -> str | None:
    """The owner to set. Pipedrive knows no record without one: nobody's go to the user who stands for nobody."""
    owner = spare() if write.owner_id == "" else write.owner_id
    if owner is not None and not owner.isdecimal():
        raise Fatal("The owner is no id of a Pipedrive user.")
    return owner


def _may_move(wanted: str, held: object, present: object) -> bool:
    if held is not None and present is None:
        return False  # an option of the tenant's own making
    return words.is_further(wanted, None if present is None else str(present))


def _may_follow(wanted: str, held: object, present: object) -> bool:
    if held is not None and present is None:
        return False  # an option of the tenant's own making
    return may_follow(wanted, None if present is None else str(present))


def _same(wanted: object, present: object) -> bool:
    if present is None:
        return wanted in (None, "")
    if str(wanted).strip() == str(present).strip():
        return True
    try:
        return float(str(wanted)) == float(str(present))  # Pipedrive shows 87 as 87 or 87.0
    except ValueError:
        return False
