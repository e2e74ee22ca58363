"""Reading leads in bulk: by id, all of them with what lies beside them, and those changed since a moment.

Source: Salesforce's Object Reference (Lead, LeadHistory, Task, Event, Opportunity, User) and "SOQL and SOSL Reference".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import is_same, long_or_none, read_record_id
from connector.adapters.salesforce.records import Beside, LeadRead, Record, read_lead, read_user
from connector.adapters.salesforce.shape import Shape
from connector.clock import to_ms
from connector.errors import Configuration
from connector.ports import BackfillPage
from leads.records import LeadChange, RepRecord

PAGE: Final = 200
#: The fields whose past is read.
HISTORY: Final = soql.any_of(("Status", *words.PROFILE, *words.MEASURED))
USERS: Final = "SELECT Id, Name, Email, IsActive, UserRole.Name FROM User WHERE UserType = 'Standard' ORDER BY Id"


class LeadReader:
    """Reads leads. `live` serves live events, `background` bulk reads; `own` is the option `fields`, `extra` further columns; the
    integration user `user_id` is not among those who own leads."""

    def __init__(
        self,
        live: SalesforceCalls,
        background: SalesforceCalls,
        shape: Shape,
        own: Mapping[str, str],
        extra: Sequence[str],
        user_id: str | None,
        now: Callable[[], datetime],
    ) -> None:
        self._live, self._calls, self._shape, self._own, self._user_id, self._now = live, background, shape, own, user_id, now
        self._wanted = tuple(dict.fromkeys([*words.FIELDS, *words.ALSO_READ, words.STAGE, *own, *extra]))

    def by_ids(self, ids: Sequence[str]) -> list[LeadChange]:
        """The leads as they are now; unknown, deleted and malformed ids are left out."""
        known = [one for one in map(long_or_none, dict.fromkeys(ids)) if one]
        found: list[LeadChange] = []
        for start in range(0, len(known), PAGE):
            records = self._leads(self._live, f"WHERE Id IN {soql.any_of(known[start : start + PAGE])}")
            found += [read_lead(record, self._own, self._now()).now for record in records]
        return found

    def owners(self) -> Iterator[RepRecord]:
        """Every user with a full licence, deactivated ones too."""
        users = (read_user(record) for record in soql.rows(self._live, USERS))
        return (user for user in users if not is_same(user.external_id, self._user_id))

    def all(self, cursor: str | None) -> Iterator[BackfillPage]:
        """Every lead, by id; the cursor is the last id. Ids are asked for rather than offsets, which end at 2,000."""
        total = self._count() if cursor is None else None
        while True:
            beyond = f"WHERE Id > {soql.quote(read_record_id(cursor))} " if cursor else ""
            records = self._leads(self._calls, f"{beyond}ORDER BY Id LIMIT {PAGE}")
            cursor = str(records[-1]["Id"]) if len(records) == PAGE else None
            yield self._page(records, cursor, total, past=True)
            if cursor is None:
                return

    def changed_since(self, moment: datetime, after_id: str | None) -> Iterator[BackfillPage]:
        """Leads in (SystemModstamp, id) order. Stamps are whole seconds, so that many leads of an import share one."""
        at = moment
        while True:
            stamp = soql.moment(at)
            known = long_or_none(after_id)
            beyond = f"SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > {soql.quote(known)})" if known else ""
            where = beyond or f"SystemModstamp >= {stamp}"
            records = self._leads(self._calls, f"WHERE {where} ORDER BY SystemModstamp, Id LIMIT {PAGE}")
            if not records:
                return
            last = records[-1]
            at, after_id = words.read_moment(last["SystemModstamp"]) if "SystemModstamp" in last else self._now(), str(last["Id"])
            yield self._page(records, f"{to_ms(at)}:{after_id}", None, past=False)
            if len(records) < PAGE:
                return

    def _leads(self, calls: SalesforceCalls, conditions: str) -> list[Record]:
        """The leads that meet the conditions. A hidden field refuses the query; then only what our user may see is asked for."""
        try:
            return list(soql.rows(calls, f"SELECT Id, {', '.join(self._wanted)} FROM Lead {conditions}"))  # noqa: S608 - SOQL
        except Configuration as error:
            if "INVALID_FIELD" not in str(error):
                raise
            visible = self._shape.fields("Lead")
            narrowed = tuple(name for name in self._wanted if name in visible)
            if narrowed == self._wanted:
                raise
            self._wanted = narrowed
        return self._leads(calls, conditions)

    def _count(self) -> int | None:
        answer = self._calls.call("GET", self._calls.path("query"), params={"q": "SELECT COUNT() FROM Lead"})
        total = answer.get("totalSize")
        return int(total) if total is not None else None

    def _page(self, records: Sequence[Record], cursor: str | None, total: int | None, *, past: bool) -> BackfillPage:
        """`past`: with who the leads were when they were made."""
        beside = self._beside(records)
        read: list[LeadRead] = [read_lead(one, self._own, self._now(), beside.get(str(one["Id"]))) for one in records]
        return BackfillPage(
            leads=[change for one in read for change in ((one.made if past else None), one.now) if change is not None],
            engagements=[engagement for one in read for engagement in one.engagements],
            outcomes={one.now.external_id: one.ended for one in read if one.ended},
            cursor=cursor,
            total=total,
        )

    def _beside(self, records: Sequence[Record]) -> dict[str, Beside]:
        """Lead id → what lies beside it, asked for in one call. What the org does not have is left out."""
        if not records:
            return {}
        ids = soql.any_of(str(one["Id"]) for one in records)
        deals = [str(one["ConvertedOpportunityId"]) for one in records if one.get("ConvertedOpportunityId")]
        queries = {
            "history": "SELECT LeadId, Field, OldValue, NewValue, CreatedDate FROM LeadHistory "  # noqa: S608 - SOQL, quoted
            f"WHERE Field IN {HISTORY} AND LeadId IN {ids} ORDER BY CreatedDate",
            "tasks": f"SELECT Id, WhoId, CompletedDateTime, SystemModstamp FROM Task WHERE WhoId IN {ids} "  # noqa: S608
            "AND IsClosed = TRUE AND TaskSubtype IN ('Call', 'Email')",
            "events": f"SELECT Id, WhoId, CreatedDate FROM Event WHERE WhoId IN {ids}",  # noqa: S608
        }
        if deals:
            queries["deals"] = (
                "SELECT Id, IsClosed, IsWon, Amount, LastStageChangeDate FROM Opportunity "  # noqa: S608
                f"WHERE Id IN {soql.any_of(deals)}"
            )
        found = soql.rows_together(self._calls, queries)

        links = {"history": "LeadId", "tasks": "WhoId", "events": "WhoId"}
        linked = {name: _grouped(found.get(name, ()), link) for name, link in links.items()}
        tracked = self._shape.tracked()
        opportunities = {long_or_none(one["Id"]): one for one in found.get("deals", ())}
        return {
            str(one["Id"]): Beside(
                tracked=tracked,
                history=linked["history"].get(long_or_none(one["Id"]), ()),
                tasks=linked["tasks"].get(long_or_none(one["Id"]), ()),
                events=linked["events"].get(long_or_none(one["Id"]), ()),
                opportunity=opportunities.get(long_or_none(one.get("ConvertedOpportunityId"))),
            )
            for one in records
        }


def _grouped(records: Sequence[Record], link: str) -> dict[str | None, list[Record]]:
    """Id of the lead → the records that point to it with the field `link`, in their order."""
    grouped: dict[str | None, list[Record]] = {}
    for one in records:
        grouped.setdefault(long_or_none(one.get(link)), []).append(one)
    return grouped
