"""What is made once in Odoo: an activity (task), a note in the chatter, and the conversion of a lead into an opportunity.

Sources: Odoo's public source of `mail.activity.mixin` (`activity_schedule`), `mail.thread` (`message_post`) and `crm.lead`
(`convert_opportunity`). An activity has a day, no hour. When it is done, versions before 17.0 delete it and post it to the chatter.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.errors import Fatal, LeadswitchError, Retriable, Skippable
from connector.http import Unsure
from connector.ports import DealWrite, NoteWrite, TaskWrite, Written

TODO: Final = "mail.mail_activity_data_todo"
NOTE: Final = "mail.mt_note"
#: Our marker as it stands in the text of an activity or a note.
MARKED: Final = "leadswitch:{}"
#: The receipt of a task that was done before it could be looked up.
DONE: Final = "done"
_NUMBER = re.compile(r"\d{1,10}")


class Activities:
    """Activities on leads."""

    def __init__(self, calls: OdooCalls) -> None:
        self._calls = calls

    def write(self, task: TaskWrite, in_doubt: bool) -> Written:
        """Make the task, or bring the one that is there up to date. Raises connector.errors."""
        made_as = task.made_as or (self._find(task) if in_doubt else None)
        if made_as is not None:
            return self._bring_up_to_date(task, made_as)
        made = self._calls.call(
            words.LEAD,
            "activity_schedule",
            [_lead_id(task.external_id)],
            idempotent=False,
            act_type_xmlid=TODO,
            date_deadline=_day(task),
            summary=task.subject,
            note=_html(task.body, task.marker),
            user_id=_user_id(task.owner_id),
        )
        number = read_made(made) or self._find(task)
        if number is None:
            raise Unsure("Odoo does not say which activity it made.")
        return Written(True, (), number)

    def _find(self, task: TaskWrite) -> str | None:
        """The id of the task's activity; `DONE` when only its trace in the chatter is left."""
        lead = _lead_id(task.external_id)
        domain = [["res_model", "=", words.LEAD], ["res_id", "=", lead], ["note", "ilike", MARKED.format(task.marker)]]
        rows = self._calls.search_read("mail.activity", domain, ["note"], limit=1)
        if rows:
            return str(rows[0]["id"])
        return DONE if find_message(self._calls, lead, task.marker) else None

    def _bring_up_to_date(self, task: TaskWrite, made_as: str) -> Written:
        """Owner and day of an activity that exists. One that a person finished is left alone."""
        rows = (
            self._calls.search_read("mail.activity", [["id", "=", int(made_as)]], ["user_id", "date_deadline", "state"])
            if _NUMBER.fullmatch(made_as)
            else []
        )
        if not rows:
            if made_as == DONE:
                return Written(True, (), DONE)
            raise Skippable("The activity is not in Odoo any more.")
        wanted = _differences(task, rows[0])
        if wanted:
            vals = {name: value for name, value, _ in wanted}
            self._calls.call("mail.activity", "write", [int(made_as)], vals=vals)
        return Written(True, tuple(canonical for _, _, canonical in wanted), made_as)


class Notes:
    """Internal notes in the chatter of leads."""

    def __init__(self, calls: OdooCalls) -> None:
        self._calls = calls

    def write(self, note: NoteWrite, in_doubt: bool) -> Written:
        """Post the note, unless it is there already. Raises connector.errors."""
        lead = _lead_id(note.external_id)
        there = find_message(self._calls, lead, note.marker) if in_doubt else None
        if there is not None:
            return Written(True, (), there)
        body = f"{note.body}\n({MARKED.format(note.marker)})"
        made = self._calls.call(words.LEAD, "message_post", [lead], idempotent=False, body=body, subtype_xmlid=NOTE)
        return Written(True, (), read_made(made) or find_message(self._calls, lead, note.marker))


class Conversions:
    """Leads that become opportunities. The record stays, and takes the deal's title."""

    def __init__(self, calls: OdooCalls) -> None:
        self._calls = calls

    def write(self, deal: DealWrite, in_doubt: bool) -> Written:
        """Convert the lead, unless it is an opportunity already, and then give it what the deal says: a refused conversion must
        leave the lead as it was. Raises connector.errors."""
        lead = _lead_id(deal.external_id)
        present = self._read(lead)
        if present is None:
            raise Skippable("Odoo has no such lead, or hides it from us.")
        if present.get("type") == "opportunity":
            if in_doubt and present.get("date_conversion"):  # our conversion, it may be, that was cut short
                self._finish(lead, deal)
            return Written(True, (), deal.external_id)
        self._calls.call(words.LEAD, "convert_opportunity", [lead], idempotent=False, partner=False)
        now = self._read(lead)
        if now is None or now.get("type") != "opportunity":  # it answers True for lost and won leads too, and leaves them
            raise Fatal("Odoo did not convert the lead: it is lost or won.")
        try:
            self._finish(lead, deal)
        except Retriable as error:
            raise Unsure(f"Odoo converted the lead, and then: {error}") from None
        return Written(True, (), deal.external_id)

    def _finish(self, lead: int, deal: DealWrite) -> None:
        vals: dict[str, Any] = {"name": deal.title}
        if deal.amount is not None:
            vals["expected_revenue"] = float(deal.amount)
        if deal.owner_id:
            vals["user_id"] = _user_id(deal.owner_id)
        self._calls.call(words.LEAD, "write", [lead], vals=vals)

    def _read(self, lead: int) -> Mapping[str, Any] | None:
        rows = self._calls.search_read(words.LEAD, [["id", "=", lead]], ["type", "date_conversion"])
        return rows[0] if rows else None


def find_message(calls: OdooCalls, lead: int, marker: str) -> str | None:
    """The id of the chatter message that holds a marker."""
    domain = [["model", "=", words.LEAD], ["res_id", "=", lead], ["body", "ilike", MARKED.format(marker)]]
    try:
        rows = calls.search_read("mail.message", domain, ["date"], limit=1)
    except Retriable:
        raise
    except LeadswitchError as error:  # who may not read the chatter cannot know, and must not make it again
        raise Unsure(str(error)) from None
    return str(rows[0]["id"]) if rows else None


def read_made(value: object) -> str | None:
    """The id of a record that was made: JSON-2 gives `[5]`, JSON-RPC `5`, `[5]` or the text `mail.activity(5,)`."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    found = _NUMBER.search(str(value))
    return found.group() if found else None


def _differences(task: TaskWrite, present: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """(Odoo field, value, our name) of what is not yet as wanted."""
    if present.get("state") == "done":
        return []
    wanted: list[tuple[str, Any, str]] = []
    if words.read_link(present.get("user_id")) != task.owner_id:
        wanted.append(("user_id", _user_id(task.owner_id), "owner_id"))
    if present.get("date_deadline") != _day(task):
        wanted.append(("date_deadline", _day(task), "due_at"))
    return wanted


def _day(task: TaskWrite) -> str:
    return task.due_at.astimezone(UTC).date().isoformat()


def _html(body: str, marker: str) -> str:
    return f"<p>{html.escape(body)}</p><p>{MARKED.format(html.escape(marker))}</p>"


def _lead_id(external_id: str) -> int:
    if not _NUMBER.fullmatch(external_id):
        raise Skippable("Odoo has no such lead: its ids are numbers.")
    return int(external_id)


def _user_id(owner_id: str) -> int:
    if not _NUMBER.fullmatch(owner_id):
        raise Fatal("An owner id of Odoo is a number.")
    return int(owner_id)
