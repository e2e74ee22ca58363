"""Two leads turn out to be one person: everything of the one becomes the other's, and is given back when that was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.clock import to_ms
from connector.errors import Skippable
from connector.storage.db import Database, marks
from connector.storage.facts import Facts
from connector.storage.models import Assignment as AssignmentRow
from connector.storage.models import Effect as EffectRow
from connector.storage.models import Lead as LeadRow
from connector.storage.models import LeadChange as ChangeRow
from connector.storage.models import Merge as MergeRow
from connector.storage.models import Snooze as SnoozeRow
from connector.storage.models import Waiting as WaitingRow
from connector.storage.playbook_merging import hand_over_runs
from connector.storage.spelled import first, insert, rows, save, set_where
from connector.vault import Vault

#: Tables whose rows change hands as they are (the clocks are those of the assignments), and those whose rows are sealed under their
#: person's key.
PLAIN: Final = ("identity", "near_name", "inbound_event", "act", "assignment", "timer")
SEALED: Final = ("lead_change", "engagement", "feedback", "decision")
#: Tables that hold at most one row a lead (by destination): rows change hands where the survivor has none.
SINGLE: Final = ("card", "thread", "snooze", "playbook_run")
#: Effects whose subject names their lead: "card:12:dm:3".
BY_LEAD: Final = frozenset({"lead", "task", "card", "thread"})
#: Ids in one statement.
MOST: Final = 10_000
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
    moved: dict[str, list[int]] = {"closed": _close_theirs(db, now, keep, gone)}
    for name in PLAIN:
        moved[name] = _ids(db, name, "lead_id = ?", gone.id)
        _give(db, name, keep.id, moved[name])
    for name in SEALED:
        moved[name] = _ids(db, name, "lead_id = ?", gone.id)
        _seal_anew(db, vault, name, moved[name], gone, keep)
    moved["card"] = _hand_over_by_destination(db, "card", keep, gone)
    moved["thread"] = _hand_over_by_destination(db, "thread", keep, gone)
    moved["snooze"] = _hand_over_snooze(db, now, keep, gone, of_survivor=bool(moved["closed"]))
    moved["playbook_run"] = hand_over_runs(db, now, keep.id, gone.id)
    _hand_over_effects(db, keep, gone)
    _join_fields(vault, keep, gone)
    moved["lead"] = [gone.id, *_ids(db, "lead", "merged_into = ?", gone.id)]
    _join_standing(db, keep, gone)
    _hand_over_place(db, keep, gone)
    set_where(db, LeadRow, {"merged_into": keep.id}, f"id IN ({marks(moved['lead'])})", *moved["lead"])
    set_where(db, LeadRow, {"routable": False, "external_id": None}, "id = ?", gone.id)
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
    for name in (*PLAIN, *SINGLE):
        _give(db, name, gone.id, _still(db, name, moved.get(name, ()), keep.id))
    for name in SEALED:
        _seal_anew(db, vault, name, _still(db, name, moved.get(name, ()), keep.id), keep, gone)
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


def _ids(db: Database, table: str, where: str, *values: Any) -> list[int]:
    return [row[0] for row in db.run(f"SELECT id FROM {table} WHERE {where}", *values).fetchall()]  # noqa: S608 - names and marks only


def _still(db: Database, table: str, ids: Sequence[int], lead_id: int) -> list[int]:
    """Those of these rows that are still the lead's. A merge of an older version knows nothing of younger tables."""
    wanted = set(ids)
    return [one for one in _ids(db, table, "lead_id = ?", lead_id) if one in wanted] if wanted else []


def _give(db: Database, table: str, lead_id: int, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), MOST):
        part = ids[start : start + MOST]
        db.run(f"UPDATE {table} SET lead_id = ? WHERE id IN ({marks(part)})", lead_id, *part)  # noqa: S608 - names and marks only


def _standing(row: LeadRow) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in STANDING},
        "created_at": to_ms(row.created_at),
        "outcome_at": to_ms(row.outcome_at) if row.outcome_at else None,
        "last_engaged_at": to_ms(row.last_engaged_at) if row.last_engaged_at else None,
    }


def _join_standing(db: Database, keep: LeadRow, gone: LeadRow) -> None:
    keep.created_at = min(keep.created_at, gone.created_at)
    if keep.owner_id is None:
        keep.owner_id, keep.pinned = gone.owner_id, gone.pinned
    keep.routable = keep.routable or gone.routable
    if gone.outcome_at is not None and (keep.outcome_at is None or gone.outcome_at > keep.outcome_at):
        keep.outcome, keep.outcome_at = gone.outcome, gone.outcome_at
    keep.last_engaged_at = max(filter(None, (keep.last_engaged_at, gone.last_engaged_at)), default=None)
    keep.version += 1
    if keep.external_id is None and gone.external_id is not None:
        set_where(db, LeadRow, {"external_id": None}, "id = ?", gone.id)  # two rows never share it
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


def _seal_anew(db: Database, vault: Vault, table: str, ids: Sequence[int], giver: LeadRow, taker: LeadRow) -> None:
    """Rows go over, sealed anew: each person's values open under that person's key alone."""
    _give(db, table, taker.id, ids)
    theirs, ours = vault.person(giver.data_key), vault.person(taker.data_key)
    for start in range(0, len(ids), MOST):
        part = ids[start : start + MOST]
        sealed = f"SELECT id, sealed FROM {table} WHERE id IN ({marks(part)}) AND sealed IS NOT NULL"  # noqa: S608
        for row_id, value in db.run(sealed, *part).fetchall():
            db.run(f"UPDATE {table} SET sealed = ? WHERE id = ?", ours.seal_json(theirs.open_json(value)), row_id)  # noqa: S608


def _close_theirs(db: Database, now: datetime, keep: LeadRow, gone: LeadRow) -> list[int]:
    """Of two open assignments the survivor's stays; returns the ids of those that were closed."""
    held = "lead_id = ? AND closed_at IS NULL"
    if not _ids(db, "assignment", held, keep.id):
        return []
    theirs = _ids(db, "assignment", held, gone.id)
    set_where(db, AssignmentRow, {"closed_at": now, "closed_as": "merged"}, held, gone.id)
    return theirs


def _hand_over_by_destination(db: Database, table: str, keep: LeadRow, gone: LeadRow) -> list[int]:
    """Cards and threads go along where the survivor has none; returns their ids."""
    without = f"lead_id = ? AND destination NOT IN (SELECT destination FROM {table} WHERE lead_id = ?)"  # noqa: S608 - names only
    ids = _ids(db, table, without, gone.id, keep.id)
    _give(db, table, keep.id, ids)
    return ids


def _hand_over_snooze(db: Database, now: datetime, keep: LeadRow, gone: LeadRow, *, of_survivor: bool) -> list[int]:
    """What the rep put off stays put off, unless the survivor has a rep or a snooze of its own; returns the ids."""
    is_open = "lead_id = ? AND ended_at IS NULL"
    if of_survivor or _ids(db, "snooze", is_open, keep.id):
        set_where(db, SnoozeRow, {"ended_at": now, "ended_as": "merged"}, is_open, gone.id)
        return []
    ids = _ids(db, "snooze", is_open, gone.id)
    _give(db, "snooze", keep.id, ids)
    return ids


def _hand_over_place(db: Database, keep: LeadRow, gone: LeadRow) -> None:
    """One person waits once, in the older of two places; with an owner they wait no more."""
    places = rows(db, WaitingRow, "WHERE lead_id IN (?, ?) ORDER BY since, id", keep.id, gone.id)
    if not places:
        return
    db.run("DELETE FROM waiting WHERE lead_id IN (?, ?)", keep.id, gone.id)
    if keep.owner_id is None:
        told = next((row for row in places if row.lead_id == keep.id), places[0])
        stands = {name: getattr(told, name) for name in ("team", "heat", "pool", "try_at", "tries")}
        insert(db, WaitingRow, {**stands, "lead_id": keep.id, "since": places[0].since})


def _hand_over_effects(db: Database, keep: LeadRow, gone: LeadRow) -> None:
    """What waits to go out about the one goes out about the other: one card and one record are never written for two."""
    for row in rows(db, EffectRow, "WHERE lead_id = ? AND state IN ('pending', 'sending')", gone.id):
        change: dict[str, Any] = {"lead_id": keep.id}
        if row.state == "pending":
            subject = _subject_of(row.subject, gone.id, keep.id)
            alike = "kind = ? AND subject = ? AND state = 'pending'"
            stands = subject != row.subject and _ids(db, "effect", alike, row.kind, subject)
            change |= {"state": "done", "receipt": "superseded"} if stands else {"subject": subject}
        set_where(db, EffectRow, change, "id = ?", row.id)


def _subject_of(subject: str, gone_id: int, keep_id: int) -> str:
    """The subject of an effect as the survivor's. Those that name a run, an assignment or a snooze stay: receivers know them."""
    sort, mark, place = subject.partition(":")
    about, more, rest = place.partition(":")
    return f"{sort}{mark}{keep_id}{more}{rest}" if sort in BY_LEAD and about == str(gone_id) else subject


def _join_fields(vault: Vault, keep: LeadRow, gone: LeadRow) -> None:
    """Of each field the newer value stands, as if all changes had come to one lead."""
    ours, theirs = Facts.of(keep, vault), Facts.of(gone, vault)
    for name, at in theirs.times.items():
        ours.take(name, theirs.get(name), at)
    ours.write_to(keep, vault)
