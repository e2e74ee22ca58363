"""Reading leads: by id, all of them, and those changed since a moment, each with what became of its opportunity.

Source: EspoCRM's documentation "API search parameters" and the public source of `Core/Select`. `modifiedAt` has whole seconds. A
list cuts texts at 10,000 characters. A won opportunity does not touch its lead, so changed opportunities are asked for as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.adapters.espocrm import words
from connector.adapters.espocrm.acts import Acts
from connector.adapters.espocrm.calls import EspoCalls, term
from connector.adapters.espocrm.words import Names
from connector.clock import Clock, to_ms
from connector.errors import Configuration, Retriable
from connector.ports import BackfillPage
from connector.reading import read_number, read_text
from leads.enums import ChangeKind, LifecycleStage, Outcome
from leads.records import FieldValue, LeadChange

SECOND: Final = timedelta(seconds=1)
DEAL_ATTRIBUTES: Final = ("stage", "probability", "amount", "closeDate", "modifiedAt")
WON, LOST = 100, 0

Record = Mapping[str, Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """One lead as read, and how it ended if it did."""

    changed_at: datetime
    now: LeadChange
    ended: tuple[Outcome, datetime] | None


class LeadReader:
    """Reads leads. `live` calls serve single events, `background` ones bulk reads; `extra` are the tenant's own attributes.

    `lag_s`: changes younger than so many seconds are left to the next reconcile, because their second is not over yet.
    """

    def __init__(
        self, live: EspoCalls, background: EspoCalls, names: Names, extra: Sequence[str], clock: Clock, lag_s: float
    ) -> None:
        self._live, self._calls, self._names, self._extra = live, background, names, tuple(extra)
        self._clock, self._lag = clock, timedelta(seconds=lag_s)
        self._attributes = (*words.FIELDS, *words.ALSO_READ, names.stage, *extra)
        self._acts = Acts(background)
        self._without_deals = False

    def by_ids(self, ids: Sequence[str]) -> list[LeadChange]:
        """The leads as they are now; unknown and hidden ones are left out."""
        rows = self._live.by_ids(words.LEAD, ids, self._attributes)
        return [one.now for one in self._open(self._live, list(rows.values()))]

    def all(self, cursor: str | None) -> Iterator[BackfillPage]:
        """Every lead in the order of ids. The cursor is the last id, so that leads made or deleted meanwhile shift nothing."""
        size = self._calls.page_size
        first = cursor is None
        while True:
            where = [term("greaterThan", "id", cursor)] if cursor else []
            rows, total = self._calls.list(words.LEAD, where, self._attributes, total=first)
            cursor = str(rows[-1]["id"]) if len(rows) == size else None
            yield self._page(rows, cursor, total, with_acts=True)
            first = False
            if cursor is None:
                return

    def changed_since(self, moment: datetime, after_id: str | None) -> Iterator[BackfillPage]:
        """Leads in (modified, id) order, then those whose opportunity changed.

        No offsets: while pages are read records change their place. The second on which a full page ends is read out by id.
        """
        at = moment.astimezone(UTC).replace(microsecond=0)
        until = self._clock.now() - self._lag + SECOND
        mark = f"{to_ms(at)}:{after_id or ''}"
        for page in self._modified(at, after_id, until) if at < until else ():
            mark = page.cursor or mark
            yield page
        yield from self._deals_changed(moment, mark)

    def _modified(self, at: datetime, after_id: str | None, until: datetime) -> Iterator[BackfillPage]:
        yield from self._in_second(at, after_id)
        size, end = self._calls.page_size, term("lessThan", "modifiedAt", words.write_datetime(until))
        while True:
            where = [term("greaterThan", "modifiedAt", words.write_datetime(at)), end]
            rows, _ = self._calls.list(words.LEAD, where, self._attributes, order_by="modifiedAt")
            if not rows:
                return
            last, full = _changed_at(rows[-1]), len(rows) == size
            whole = [row for row in rows if _changed_at(row) < last] if full else rows
            if whole:
                yield self._page(whole, f"{to_ms(last)}:" if full else f"{to_ms(last)}:{rows[-1]['id']}")
            if not full:
                return
            yield from self._in_second(last, None)
            at = last

    def _in_second(self, at: datetime, after: str | None) -> Iterator[BackfillPage]:
        size = self._calls.page_size
        while True:
            where = [term("equals", "modifiedAt", words.write_datetime(at)), *([term("greaterThan", "id", after)] if after else [])]
            rows, _ = self._calls.list(words.LEAD, where, self._attributes)
            if rows:
                after = str(rows[-1]["id"])
                yield self._page(rows, f"{to_ms(at)}:{after}")
            if len(rows) < size:
                return

    def _deals_changed(self, moment: datetime, mark: str) -> Iterator[BackfillPage]:
        if self._without_deals:
            return
        offset, size = 0, self._calls.page_size
        while True:
            where = [
                term("greaterThanOrEquals", "modifiedAt", words.write_datetime(moment)),
                term("in", "probability", [WON, LOST]),
            ]
            try:
                rows, _ = self._calls.list(words.OPPORTUNITY, where, DEAL_ATTRIBUTES, order_by="createdAt", offset=offset)
            except Configuration as error:
                self._give_up_deals(error)
                return
            if rows:
                where = [term("in", "createdOpportunityId", [str(row["id"]) for row in rows])]
                leads, _ = self._calls.list(words.LEAD, where, self._attributes, limit=size)
                if leads:
                    yield self._page(leads, mark)
            if len(rows) < size:
                return
            offset += size

    def _page(self, rows: Sequence[Record], cursor: str | None, total: int | None = None, with_acts: bool = False) -> BackfillPage:
        found = self._open(self._calls, rows)
        return BackfillPage(
            leads=[one.now for one in found],
            engagements=self._acts.of_leads([str(row["id"]) for row in rows]) if with_acts else [],
            outcomes={one.now.external_id: one.ended for one in found if one.ended},
            cursor=cursor,
            total=total,
        )

    def _open(self, calls: EspoCalls, rows: Sequence[Record]) -> list[Found]:
        deals = self._deals(calls, [str(row.get("createdOpportunityId") or "") for row in rows])
        try:
            return [self._read(row, deals.get(str(row.get("createdOpportunityId")))) for row in rows]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Retriable("EspoCRM answered with a lead that cannot be read.") from None

    def _deals(self, calls: EspoCalls, ids: Sequence[str]) -> dict[str, Record]:
        if self._without_deals or not any(ids):
            return {}
        try:
            return calls.by_ids(words.OPPORTUNITY, ids, DEAL_ATTRIBUTES)
        except Configuration as error:
            self._give_up_deals(error)
            return {}

    def _give_up_deals(self, error: Configuration) -> None:
        self._without_deals = True
        log.warning("Leads are read without their opportunities from now on: %s", error)

    def _read(self, row: Record, deal: Record | None) -> Found:
        changed_at = _changed_at(row)
        deal_end = _deal_end(deal)
        stage = words.read_stage(row, self._names)
        status = words.STATUSES.get(str(row.get("status"))) or read_text(row.get("status"))
        if deal_end and deal_end[0] is Outcome.WON:
            stage = LifecycleStage.CUSTOMER
        elif deal_end:
            status = "lost"
        fields = {**words.read_fields(row), "lifecycle_stage": stage.value, "lead_status": status}
        if deal is not None and (amount := read_number(deal.get("amount"))) is not None:
            fields["deal_amount"] = amount
        now = LeadChange(
            event_key=f"espo:{row['id']}:at:{to_ms(changed_at)}:{deal_end[0].value if deal_end else 'open'}",
            external_id=str(row["id"]),
            occurred_at=max([changed_at, *([deal_end[1]] if deal_end else [])]),
            kind=ChangeKind.CHANGED,
            fields={name: value for name, value in fields.items() if value is not None or name == "owner_id"},
            extra=self._own(row),
            created_at=words.read_datetime(row.get("createdAt")),
        )
        dead = (Outcome.LOST, changed_at) if status == "unqualified" else None
        return Found(changed_at, now, deal_end or dead)

    def _own(self, row: Record) -> dict[str, FieldValue]:
        own = {name: read_text(row.get(name)) for name in self._extra}
        if row.get("doNotCall") is True:
            own["do_not_call"] = "yes"
        return {name: value for name, value in own.items() if value is not None}


def _changed_at(row: Record) -> datetime:
    moment = words.read_datetime(row.get("modifiedAt")) or words.read_datetime(row.get("createdAt"))
    if moment is None:
        raise Retriable("EspoCRM answered with a lead that has no date: may the role read modifiedAt?")
    return moment


def _deal_end(deal: Record | None) -> tuple[Outcome, datetime] | None:
    """How an opportunity ended: by its probability, because stages have the tenant's own names."""
    if deal is None or deal.get("probability") not in (WON, LOST):
        return None
    at = words.read_datetime(deal.get("modifiedAt")) or words.read_datetime(deal.get("closeDate"))
    if at is None:
        return None
    return (Outcome.WON if deal["probability"] == WON else Outcome.LOST), at
