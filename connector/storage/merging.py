"""Two leads turn out to be one person: everything of the one becomes the other's, and is given back when that was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.clock import to_ms
from connector.errors import Skippable
from connector.storage.db import Database
from connector.storage.facts import Facts
from connector.storage.models import Act as ActRow
from connector.storage.models import Assignment as AssignmentRow
from connector.storage.models import Card as CardRow
from connector.storage.models import Decision as DecisionRow
from connector.storage.models import Effect as EffectRow
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Feedback as FeedbackRow
from connector.storage.models import Identity, InboundEvent, NearName
from connector.storage.models import Lead as LeadRow
from connector.storage.models import LeadChange as ChangeRow
from connector.storage.models import Merge as MergeRow
from connector.storage.models import Snooze as SnoozeRow
from connector.storage.models import Thread as ThreadRow
from connector.storage.models import Timer as TimerRow
from connector.storage.models import Waiting as WaitingRow
from connector.storage.spelled import first, insert, rows, save
from connector.vault import Vault

#: Rows that change hands as they are, and rows that are sealed under their person's key.
PLAIN: Final[Mapping[str, Any]] = {
    "identity": Identity,
    "near_name": NearName,
    "inbound_event": InboundEvent,
    "act": ActRow,
    "assignment": AssignmentRow,
    "timer": TimerRow,  # the clocks of those assignments
}
SEALED: Final[Mapping[str, Any]] = {
    "lead_change": ChangeRow,
    "engagement": EngagementRow,
    "feedback": FeedbackRow,
    "decision": DecisionRow,
}
#: Rows of which a lead has at most one (by destination): they change hands where the survivor has none.
SINGLE: Final[Mapping[str, Any]] = {"card": CardRow, "thread": ThreadRow, "snooze": SnoozeRow}
#: What a merge may change on the two leads themselves.
STANDING: Final = ("connection", "external_id", "owner_id", "pinned", "routable", "outcome")


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why two leads are one: by the same name of theirs ("exact"), by likeness ("near"), or by the CRM's word ("crm")."""

    how: str
    probability: float | None = None
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredMerge:
    """One merge as kept."""

    id: int
    keep_id: int
    gone_id: int
    grounds: Grounds
    at: datetime
    undone_at: datetime | None


def fold(db: Database, vault: Vault, now: datetime, keep: LeadRow, gone: LeadRow, grounds: Grounds) -> None:
    """Fold `gone` into `keep`, both locked, within the caller's transaction. An existing owner survives."""
    before = {"keep": _standing(keep), "gone": _standing(gone)}
    moved: dict[str, list[int]] = {"closed": _close_theirs(now, keep, gone)}
    for name, table in PLAIN.items():
        moved[name] = _ids(table, table.lead_id == gone.id)
        table.update({table.lead_id: keep.id}).where(table.lead_id == gone.id).execute()
    for name, table in SEALED.items():
        moved[name] = _ids(table, table.lead_id == gone.id)
        _seal_anew(vault, table, moved[name], gone, keep)
    moved["card"] = _hand_over_by_destination(CardRow, keep, gone)
    moved["thread"] = _hand_over_by_destination(ThreadRow, keep, gone)
    moved["snooze"] = _hand_over_snooze(now, keep, gone, of_survivor=bool(moved["closed"]))
    _hand_over_effects(keep, gone)
    _join_fields(vault, keep, gone)
    moved["lead"] = [gone.id, *_ids(LeadRow, LeadRow.merged_into == gone.id)]
    _join_standing(keep, gone)
    _hand_over_place(keep, gone)
    LeadRow.update({LeadRow.merged_into: keep.id}).where(LeadRow.id.in_(moved["lead"])).execute()
    LeadRow.update({LeadRow.routable: False, LeadRow.external_id: None}).where(LeadRow.id == gone.id).execute()
    save(db, keep)
    told = {"keep_id": keep.id, "gone_id": gone.id, "how": grounds.how, "probability": grounds.probability, "at": now}
    insert(db, MergeRow, {**told, "because": list(grounds.because), "moved": moved, "before": before})


def part(db: Database, vault: Vault, now: datetime, merge_id: int, by: str) -> tuple[int, int]:
    """Undo a merge within the caller's transaction; returns both leads, which want a new score each.

    Raises `Skippable` with a sentence when it cannot be undone.
    """
    merge = first(db, MergeRow, "WHERE id = ?", merge_id)
    if merge is None:
        raise Skippable("There is no such merge.")
    if merge.undone_at is not None:
        raise Skippable("This merge was undone before.")
    held = LeadRow.select().where(LeadRow.id.in_([merge.keep_id, merge.gone_id])).order_by(LeadRow.id)
    leads = {row.id: row for row in db.locked(held)}
    keep, gone = leads[merge.keep_id], leads[merge.gone_id]
    if keep.merged_into is not None:
        raise Skippable("The lead was merged into another since: undo that first.")
    if keep.erased:
        raise Skippable("The person was erased.")
    moved: Mapping[str, Sequence[int]] = merge.moved
    for name, table in (*PLAIN.items(), *SINGLE.items()):
        table.update({table.lead_id: gone.id}).where(table.id.in_(moved.get(name, ())) & (table.lead_id == keep.id)).execute()
    for name, table in SEALED.items():
        _seal_anew(vault, table, _ids(table, table.id.in_(moved[name]) & (table.lead_id == keep.id)), keep, gone)
    reopened = AssignmentRow.id.in_(moved["closed"]) & (AssignmentRow.closed_as == "merged")
    AssignmentRow.update({AssignmentRow.closed_at: None, AssignmentRow.closed_as: None}).where(reopened).execute()
    LeadRow.update({LeadRow.merged_into: gone.id}).where(LeadRow.id.in_(moved["lead"]) & (LeadRow.id != gone.id)).execute()
    _stand_again(db, vault, now, keep, gone, merge.before)
    MergeRow.update({MergeRow.undone_at: now, MergeRow.undone_by: by}).where(MergeRow.id == merge_id).execute()
    return keep.id, gone.id


def parted(db: Database, lead_id: int) -> frozenset[int]:
    """Leads that a person said are not this one: they are never merged again by themselves."""
    found = rows(db, MergeRow, "WHERE undone_at IS NOT NULL AND (keep_id = ? OR gone_id = ?)", lead_id, lead_id)
    return frozenset({row.keep_id for row in found} | {row.gone_id for row in found}) - {lead_id}


def newest(db: Database, lead_id: int | None, limit: int) -> list[StoredMerge]:
    """Merges, the newest first; of one lead, when asked."""
    about, ids = ("WHERE keep_id = ? OR gone_id = ?", (lead_id, lead_id)) if lead_id is not None else ("", ())
    return [
        StoredMerge(row.id, row.keep_id, row.gone_id, Grounds(row.how, row.probability, tuple(row.because)), row.at, row.undone_at)
        for row in rows(db, MergeRow, f"{about} ORDER BY id DESC LIMIT ?", *ids, limit)
    ]


# -- inside


def _ids(table: Any, condition: Any) -> list[int]:
    return [row.id for row in table.select(table.id).where(condition)]


def _standing(row: LeadRow) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in STANDING},
        "created_at": to_ms(row.created_at),
        "outcome_at": to_ms(row.outcome_at) if row.outcome_at else None,
        "last_engaged_at": to_ms(row.last_engaged_at) if row.last_engaged_at else None,
    }


def _join_standing(keep: LeadRow, gone: LeadRow) -> None:
    keep.created_at = min(keep.created_at, gone.created_at)
    if keep.owner_id is None:
        keep.owner_id, keep.pinned = gone.owner_id, gone.pinned
    keep.routable = keep.routable or gone.routable
    if gone.outcome_at is not None and (keep.outcome_at is None or gone.outcome_at > keep.outcome_at):
        keep.outcome, keep.outcome_at = gone.outcome, gone.outcome_at
    keep.last_engaged_at = max(filter(None, (keep.last_engaged_at, gone.last_engaged_at)), default=None)
    keep.version += 1
    if keep.external_id is None and gone.external_id is not None:
        LeadRow.update({LeadRow.external_id: None}).where(LeadRow.id == gone.id).execute()  # two rows never share it
        keep.connection, keep.external_id = gone.connection, gone.external_id


def _stand_again(db: Database, vault: Vault, now: datetime, keep: LeadRow, gone: LeadRow, before: Mapping[str, Any]) -> None:
    """Both leads as they stood, each with what it was told since; an owner that was chosen since stays."""
    for row, stood, joined in ((keep, before["keep"], True), (gone, before["gone"], False)):
        kept_owner = row.owner_id if joined and row.owner_id not in (before["gone"]["owner_id"], stood["owner_id"]) else None
        for name, value in stood.items():
            setattr(row, name, _column_value(row, name, value))
        row.owner_id = kept_owner or row.owner_id
        row.merged_into = None
        row.version += 1
        row.touched_at = now
        facts = Facts({}, {}, {})
        for change in ChangeRow.select().where(ChangeRow.lead_id == row.id):
            for name, value in (vault.person(row.data_key).open_json(change.sealed) if change.sealed else {}).items():
                facts.take(name, value, to_ms(change.occurred_at))
        facts.write_to(row, vault)
    if keep.external_id != gone.external_id or keep.connection != gone.connection:
        LeadRow.update({LeadRow.external_id: None}).where(LeadRow.id == keep.id).execute()
    save(db, gone)
    save(db, keep)


def _column_value(row: LeadRow, name: str, value: Any) -> Any:
    """A value of `before` as the column reads it."""
    return type(row)._meta.fields[name].python_value(value) if name.endswith("_at") else value


def _seal_anew(vault: Vault, table: Any, ids: Sequence[int], giver: LeadRow, taker: LeadRow) -> None:
    """Rows go over, sealed anew: each person's values open under that person's key alone."""
    theirs, ours = vault.person(giver.data_key), vault.person(taker.data_key)
    for row in list(table.select(table.id, table.sealed).where(table.id.in_(list(ids)))):
        sealed = ours.seal_json(theirs.open_json(row.sealed)) if row.sealed else None
        table.update({table.lead_id: taker.id, table.sealed: sealed}).where(table.id == row.id).execute()


def _close_theirs(now: datetime, keep: LeadRow, gone: LeadRow) -> list[int]:
    """Of two open assignments the survivor's stays; returns the ids of those that were closed."""
    if not AssignmentRow.select().where((AssignmentRow.lead_id == keep.id) & AssignmentRow.closed_at.is_null()).exists():
        return []
    theirs = _ids(AssignmentRow, (AssignmentRow.lead_id == gone.id) & AssignmentRow.closed_at.is_null())
    AssignmentRow.update({AssignmentRow.closed_at: now, AssignmentRow.closed_as: "merged"}).where(
        AssignmentRow.id.in_(theirs)
    ).execute()
    return theirs


def _hand_over_by_destination(table: Any, keep: LeadRow, gone: LeadRow) -> list[int]:
    """Cards and threads go along where the survivor has none; returns their ids."""
    ours = [row.destination for row in table.select(table.destination).where(table.lead_id == keep.id)]
    ids = _ids(table, (table.lead_id == gone.id) & table.destination.not_in(ours))
    table.update({table.lead_id: keep.id}).where(table.id.in_(ids)).execute()
    return ids


def _hand_over_snooze(now: datetime, keep: LeadRow, gone: LeadRow, *, of_survivor: bool) -> list[int]:
    """What the rep put off stays put off, unless the survivor has a rep or a snooze of its own; returns the ids."""
    theirs = (SnoozeRow.lead_id == gone.id) & SnoozeRow.ended_at.is_null()
    if of_survivor or SnoozeRow.select().where((SnoozeRow.lead_id == keep.id) & SnoozeRow.ended_at.is_null()).exists():
        SnoozeRow.update({SnoozeRow.ended_at: now, SnoozeRow.ended_as: "merged"}).where(theirs).execute()
        return []
    ids = _ids(SnoozeRow, theirs)
    SnoozeRow.update({SnoozeRow.lead_id: keep.id}).where(SnoozeRow.id.in_(ids)).execute()
    return ids


def _hand_over_place(keep: LeadRow, gone: LeadRow) -> None:
    """One person waits once, in the older of two places; with an owner they wait no more."""
    places = list(WaitingRow.select().where(WaitingRow.lead_id.in_([keep.id, gone.id])).order_by(WaitingRow.since, WaitingRow.id))
    WaitingRow.delete().where(WaitingRow.id.in_([row.id for row in places])).execute()
    if places and keep.owner_id is None:
        told = next((row for row in places if row.lead_id == keep.id), places[0])
        stands = {name: getattr(told, name) for name in ("team", "heat", "pool", "try_at", "tries")}
        WaitingRow.insert({**stands, "lead_id": keep.id, "since": places[0].since}).execute()


def _hand_over_effects(keep: LeadRow, gone: LeadRow) -> None:
    """What waits to go out about the one goes out about the other: one card and one record are never written for two."""
    for row in list(EffectRow.select().where((EffectRow.lead_id == gone.id) & EffectRow.state.in_(["pending", "sending"]))):
        change: dict[Any, Any] = {EffectRow.lead_id: keep.id}
        if row.state == "pending":
            subject = row.subject.replace(f":{gone.id}", f":{keep.id}", 1)
            alike = (EffectRow.kind == row.kind) & (EffectRow.subject == subject) & (EffectRow.state == "pending")
            stands = EffectRow.select().where(alike).exists()
            change |= {EffectRow.state: "done", EffectRow.receipt: "superseded"} if stands else {EffectRow.subject: subject}
        EffectRow.update(change).where(EffectRow.id == row.id).execute()


def _join_fields(vault: Vault, keep: LeadRow, gone: LeadRow) -> None:
    """Of each field the newer value stands, as if all changes had come to one lead."""
    ours, theirs = Facts.of(keep, vault), Facts.of(gone, vault)
    for name, at in theirs.times.items():
        ours.take(name, theirs.get(name), at)
    ours.write_to(keep, vault)
