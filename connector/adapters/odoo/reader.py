"""Reading leads: by id, all of them with what became of them, and those changed since a moment.

Source: Odoo's ORM reference (`search_read`, domains). `write_date` holds microseconds but is shown in whole seconds, and is the
moment at which the transaction began: a record may appear behind one that is already read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.adapters.odoo import words
from connector.adapters.odoo.acts import Acts
from connector.adapters.odoo.calls import OdooCalls
from connector.adapters.odoo.stages import Stages
from connector.clock import Clock, from_ms, to_ms
from connector.errors import Retriable
from connector.ports import BackfillPage
from leads.enums import ChangeKind, Outcome
from leads.records import FieldValue, LeadChange

PAGE: Final = 100
SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Found:
    """One lead as read, and how it ended if it did."""

    changed_at: datetime
    now: LeadChange
    ended: tuple[Outcome, datetime] | None


class LeadReader:
    """Reads leads. `live` calls serve single events, `background` ones bulk reads.

    `lag_s`: changes younger than so many seconds are left to the next reconcile, because their transactions may still run.
    """

    def __init__(self, live: OdooCalls, background: OdooCalls, stages: Stages, clock: Clock, lag_s: float) -> None:
        self._live, self._calls, self._stages = live, background, stages
        self._clock, self._lag = clock, timedelta(seconds=lag_s)
        self._acts = Acts(background)
        self._tags: dict[int, str] = {}

    def by_ids(self, ids: Sequence[str]) -> list[LeadChange]:
        """The leads as they are now; unknown and hidden ones are left out."""
        numbers = [int(one) for one in dict.fromkeys(ids) if one.isdecimal() and one.isascii()]
        found: list[LeadChange] = []
        for start in range(0, len(numbers), PAGE):
            rows = self._rows(self._live, [["id", "in", numbers[start : start + PAGE]]])
            found += [one.now for one in self._open(rows)]
        return found

    def all(self, cursor: str | None) -> Iterator[BackfillPage]:
        """Every lead, oldest id first, lost ones too. The cursor is the last id."""
        last = int(cursor or 0)
        while True:
            rows = self._rows(self._calls, [["id", ">", last]], limit=PAGE)
            more = len(rows) == PAGE
            last = rows[-1]["id"] if rows else last
            yield self._page(rows, str(last) if more else None, with_acts=True)
            if not more:
                return

    def changed_since(self, moment: datetime, after_id: str | None) -> Iterator[BackfillPage]:
        """Leads in (second of change, id) order.

        A page boundary inside a second would lose leads, because the order within it is by hidden microseconds: the second on which
        a full page ends is read out by id.
        """
        until = self._clock.now() - self._lag + SECOND
        at = moment.astimezone(UTC).replace(microsecond=0)
        yield from self._in_second(at, int(after_id or 0), until)
        while True:
            domain = [["write_date", ">=", words.write_datetime(at + SECOND)], ["write_date", "<", words.write_datetime(until)]]
            rows = self._rows(self._calls, domain, limit=PAGE, order="write_date asc, id asc")
            if not rows:
                return
            last = _changed_at(rows[-1])
            full = len(rows) == PAGE
            whole = [row for row in rows if _changed_at(row) < last] if full else rows
            if whole:
                ordered = sorted(whole, key=lambda row: (_changed_at(row), row["id"]))
                ends = f"{to_ms(last)}:0" if full else f"{to_ms(last)}:{ordered[-1]['id']}"
                yield self._page(ordered, ends)
            if not full:
                return
            yield from self._in_second(last, 0, until)
            at = last

    def _in_second(self, at: datetime, after: int, until: datetime) -> Iterator[BackfillPage]:
        end = min(at + SECOND, until)
        span = [["write_date", ">=", words.write_datetime(at)], ["write_date", "<", words.write_datetime(end)]]
        while rows := self._rows(self._calls, [*span, ["id", ">", after]], limit=PAGE):
            after = rows[-1]["id"]
            yield self._page(rows, f"{to_ms(at)}:{after}")
            if len(rows) < PAGE:
                return

    def _rows(
        self, calls: OdooCalls, domain: Sequence[Any], limit: int | None = None, order: str = "id asc"
    ) -> list[Mapping[str, Any]]:
        return calls.search_read(words.LEAD, domain, words.READ, also=(words.STATUS,), limit=limit, order=order)

    def _page(self, rows: Sequence[Mapping[str, Any]], cursor: str | None, with_acts: bool = False) -> BackfillPage:
        found = self._open(rows)
        return BackfillPage(
            leads=[one.now for one in found],
            engagements=self._acts.of_leads([row["id"] for row in rows]) if with_acts else [],
            outcomes={one.now.external_id: one.ended for one in found if one.ended},
            cursor=cursor,
        )

    def _open(self, rows: Sequence[Mapping[str, Any]]) -> list[Found]:
        try:
            self._name_tags(rows)
            return [self._read(row) for row in rows]
        except (TypeError, ValueError, AttributeError):
            raise Retriable("Odoo answered with a lead that cannot be read.") from None

    def _read(self, row: Mapping[str, Any]) -> Found:
        lead = str(row["id"])
        changed_at = _changed_at(row)
        stage = self._stages.lifecycle(row)
        fields = words.read_fields(row)
        fields |= {"lifecycle_stage": stage.value, "lead_status": words.read_status(row)}
        now = LeadChange(
            event_key=f"odoo:{lead}:at:{to_ms(changed_at)}",
            external_id=lead,
            occurred_at=changed_at,
            kind=ChangeKind.CHANGED,
            fields=fields,
            extra=self._extra(row),
            created_at=words.read_datetime(row.get("create_date")),
        )
        ended = words.read_datetime(row.get("date_closed")) or changed_at
        outcome = Outcome.WON if stage.value == "customer" else Outcome.LOST if words.is_lost(row) else None
        return Found(changed_at, now, (outcome, ended) if outcome else None)

    def _extra(self, row: Mapping[str, Any]) -> dict[str, FieldValue]:
        tags = [self._tags[tag] for tag in row.get("tag_ids") or () if tag in self._tags]
        extra: dict[str, FieldValue] = {
            "subject": row.get("name") or None,
            "team": words.read_link_name(row.get("team_id")),
            "medium": words.read_link_name(row.get("medium_id")),
            "tags": ", ".join(sorted(tags)) or None,
            "lead_type": row.get("type") or None,
        }
        return {name: value for name, value in extra.items() if value is not None}

    def _name_tags(self, rows: Sequence[Mapping[str, Any]]) -> None:
        met = {tag for row in rows for tag in row.get("tag_ids") or ()}
        if unknown := sorted(met - set(self._tags)):
            for row in self._calls.search_read("crm.tag", [["id", "in", unknown]], ["name"]):
                self._tags[row["id"]] = str(row.get("name") or "")


def _changed_at(row: Mapping[str, Any]) -> datetime:
    moment = words.read_datetime(row.get("write_date")) or words.read_datetime(row.get("create_date"))
    if moment is None:
        raise Retriable("Odoo answered with a lead that has no date.")
    return from_ms(to_ms(moment) // 1000 * 1000)
