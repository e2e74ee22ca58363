"""What is made once in EspoCRM: a task, a post in the stream, and the conversion of a lead.

Sources: EspoCRM's documentation "CRUD operations" and "Stream", its metadata of Task and Opportunity, and the public source of
`Tools/Lead/ConvertService` (getConvertAttributes, convert, 409 with the duplicates).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from connector.adapters.espocrm import words
from connector.adapters.espocrm.calls import Conflict, EspoCalls, term
from connector.clock import Clock
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.ports import DealWrite, NoteWrite, TaskWrite, Written

#: Our marker as it stands in the text of a task or a post.
MARKED: Final = "leadswitch:{}"
#: How many of a lead's newest posts are looked through for a marker.
POSTS: Final = 200
NO_DUPLICATE_CHECK: Final = {"x-skip-duplicate-check": "true"}
NAME_LIMIT: Final = 200


class Tasks:
    """Tasks of leads."""

    def __init__(self, calls: EspoCalls) -> None:
        self._calls = calls

    def write(self, task: TaskWrite, in_doubt: bool) -> Written:
        """Make the task, or bring the one that is there up to date. Raises connector.errors."""
        made_as = task.made_as or (self._find(task.marker) if in_doubt else None)
        if made_as is not None:
            return self._bring_up_to_date(task, made_as)
        body = {
            "name": _name(task.subject),
            "status": "Not Started",
            "priority": words.PRIORITIES[task.priority],
            "dateEnd": words.write_datetime(task.due_at),
            "description": f"{task.body}\n\n{MARKED.format(task.marker)}".strip(),
            "parentType": words.LEAD,
            "parentId": task.external_id,
            "assignedUserId": task.owner_id,
        }
        made = self._calls.call("POST", words.TASK, body=body, idempotent=False, headers=NO_DUPLICATE_CHECK)
        return Written(True, (), _id(made, "task"))

    def _find(self, marker: str) -> str | None:
        """Looked for under any parent: a conversion hands tasks over to the opportunity."""
        rows, _ = self._calls.list(words.TASK, [term("contains", "description", MARKED.format(marker))], ("name",), limit=1)
        return str(rows[0]["id"]) if rows else None

    def _bring_up_to_date(self, task: TaskWrite, made_as: str) -> Written:
        """Owner and due date of a task that exists. One that a person ended is left alone."""
        present = self._calls.by_ids(words.TASK, [made_as], ("assignedUserId", "dateEnd", "status")).get(made_as)
        if present is None:
            raise Skippable("The task is not in EspoCRM any more.")
        wanted = _differences(task, present)
        if wanted:
            vals = {name: value for name, value, _ in wanted}
            self._calls.call("PUT", f"{words.TASK}/{made_as}", body=vals, headers=NO_DUPLICATE_CHECK)
        return Written(True, tuple(canonical for _, _, canonical in wanted), made_as)


class Notes:
    """Posts in the stream of leads."""

    def __init__(self, calls: EspoCalls) -> None:
        self._calls = calls

    def write(self, note: NoteWrite, in_doubt: bool) -> Written:
        """Post the note, unless it is there already. Raises connector.errors."""
        if in_doubt and (there := self._find(note)) is not None:
            return Written(True, (), there)
        post = f"{note.body}\n\n{MARKED.format(note.marker)}"
        body = {"type": "Post", "parentType": words.LEAD, "parentId": note.external_id, "post": post}
        made = self._calls.call("POST", "Note", body=body, idempotent=False)
        return Written(True, (), _id(made, "post"))

    def _find(self, note: NoteWrite) -> str | None:
        size = self._calls.page_size
        for offset in range(0, POSTS, size):
            params = {"maxSize": str(size), "offset": str(offset)}
            answer = self._calls.call("GET", f"{words.LEAD}/{note.external_id}/posts", params=params)
            rows = answer.get("list") if isinstance(answer, dict) else None
            if not isinstance(rows, list):
                raise Retriable("EspoCRM answered with something that is not a list of posts.")
            for row in rows:
                if MARKED.format(note.marker) in str(row.get("post") or ""):
                    return str(row["id"])
            if len(rows) < size:
                break
        return None


class Conversions:
    """Leads converted into an account, a contact and an opportunity, as far as the role may make them.

    `close_days` from now is the closing date that an opportunity must have.
    """

    def __init__(self, calls: EspoCalls, clock: Clock, close_days: int) -> None:
        self._calls, self._clock, self._close_days = calls, clock, close_days

    def write(self, deal: DealWrite) -> Written:
        """Convert the lead, unless it was converted already. Raises connector.errors."""
        lead = self._read(deal.external_id)
        if lead.get("status") == words.CONVERTED or lead.get("createdOpportunityId"):
            return Written(True, (), str(lead.get("createdOpportunityId") or deal.external_id))
        given = self._calls.call("POST", f"{words.LEAD}/action/getConvertAttributes", body={"id": deal.external_id})
        if not isinstance(given, dict) or words.OPPORTUNITY not in given:
            raise Configuration("EspoCRM lets us make no opportunity.", "Give the role the right to create opportunities.")
        records = {words.OPPORTUNITY: self._opportunity(deal, _object(given.get(words.OPPORTUNITY)))}
        if "Contact" in given:
            records["Contact"] = {**_object(given["Contact"])}
        if _object(given.get("Account")).get("name"):
            records["Account"] = {**_object(given["Account"])}
        try:
            self._convert(deal.external_id, records)
        except Conflict as conflict:  # the person or the company is there already: the opportunity is theirs
            records = {words.OPPORTUNITY: {**records[words.OPPORTUNITY], **_theirs(conflict)}}
            self._convert(deal.external_id, records, skip_check=True)
        now = self._read(deal.external_id)
        if not now.get("createdOpportunityId"):
            raise Fatal("EspoCRM converted the lead without an opportunity.")
        return Written(True, (), str(now["createdOpportunityId"]))

    def _read(self, lead: str) -> Mapping[str, Any]:
        attributes = ("status", "createdOpportunityId", "opportunityAmount")
        found = self._calls.by_ids(words.LEAD, [lead], attributes).get(lead)
        if found is None:
            raise Skippable("EspoCRM has no such lead, or hides it from us.")
        return found

    def _opportunity(self, deal: DealWrite, given: Mapping[str, Any]) -> dict[str, Any]:
        closes: datetime = self._clock.now() + timedelta(days=self._close_days)
        amount = deal.amount if deal.amount is not None else given.get("amount")
        return {
            **given,
            "name": _name(deal.title),
            "amount": float(amount or 0),  # it must have one
            "closeDate": given.get("closeDate") or closes.date().isoformat(),
            "description": f"{given.get('description') or ''}\n\n{MARKED.format(deal.marker)}".strip(),
            **({"amountCurrency": deal.currency} if deal.currency else {}),
            **({"assignedUserId": deal.owner_id} if deal.owner_id else {}),
        }

    def _convert(self, lead: str, records: Mapping[str, Any], skip_check: bool = False) -> None:
        body = {"id": lead, "records": records, "skipDuplicateCheck": skip_check}
        self._calls.call("POST", f"{words.LEAD}/action/convert", body=body, idempotent=False)


def _theirs(conflict: Conflict) -> dict[str, Any]:
    """The links of an opportunity to the account and contact that a 409 names."""
    links: dict[str, Any] = {}
    for one in conflict.body if isinstance(conflict.body, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            if one.get("_entityType") == "Account":
                links.setdefault("accountId", one["id"])
            elif one.get("_entityType") == "Contact" and "contactId" not in links:
                links |= {"contactId": one["id"], "contactsIds": [one["id"]]}
    return links


def _differences(task: TaskWrite, present: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(attribute, value, our name) of what is not yet as wanted."""
    if present.get("status") in words.TASK_ENDED:
        return []
    wanted = []
    if present.get("assignedUserId") != task.owner_id:
        wanted.append(("assignedUserId", task.owner_id, "owner_id"))
    if str(present.get("dateEnd") or "")[:19] != words.write_datetime(task.due_at):
        wanted.append(("dateEnd", words.write_datetime(task.due_at), "due_at"))
    return wanted


def _name(text: str) -> str:
    return " ".join(text.translate(words.BAD_CHARACTERS).split())[:NAME_LIMIT] or "Follow up"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(made: Any, what: str) -> str:
    found = made.get("id") if isinstance(made, dict) else None
    if not isinstance(found, str):
        raise Unsure(f"EspoCRM does not say which {what} it made.")
    return found
