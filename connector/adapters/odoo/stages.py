"""The stages of the tenant's pipeline. Their names are the tenant's own: the option `stages` says which are ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.errors import Configuration
from connector.settings import ConnectionSettings
from leads.enums import STAGE_ORDER, LifecycleStage

#: Our stage → the name of Odoo's stage, as a fresh Odoo has them. `customer` is the stage that counts as won.
DEFAULTS: Final[Mapping[str, str]] = {"mql": "Qualified", "opportunity": "Proposition"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of Odoo; `ours` is None for a stage that the options do not name, `teams` is empty for one of every team."""

    id: int
    sequence: int
    won: bool
    ours: LifecycleStage | None
    teams: frozenset[int]


class Stages:
    """Looks the stages up once, and again when a lead stands on one that is not known. Safe to share between threads."""

    def __init__(self, calls: OdooCalls, settings: ConnectionSettings) -> None:
        given = settings.option("stages", DEFAULTS)
        if not isinstance(given, Mapping) or not all(LifecycleStage.read(name) in STAGE_ORDER[1:] for name in given):
            known = ", ".join(stage.value for stage in STAGE_ORDER[1:])
            raise Configuration(f"{settings.name}: stages is not a table of {known}.", 'Write it as mql = "Qualified".')
        self.names = {str(name).strip().casefold(): LifecycleStage.read(ours) for ours, name in given.items()}
        self._calls = calls
        self._lock = threading.Lock()
        self._by_id: dict[int, Stage] = {}

    def of(self, record: Mapping[str, Any]) -> Stage | None:
        """The stage that a lead stands on."""
        link = words.read_link(record.get("stage_id"))
        if link is None:
            return None
        with self._lock:
            if int(link) not in self._by_id:
                self._by_id = self._read()
            return self._by_id.get(int(link))

    def all(self) -> list[Stage]:
        """Every stage, first ones first."""
        with self._lock:
            self._by_id = self._by_id or self._read()
            return sorted(self._by_id.values(), key=lambda stage: (stage.sequence, stage.id))

    def open_to(self, record: Mapping[str, Any]) -> list[Stage]:
        """The stages of a lead's team, first ones first: a stage may be one team's alone, and the others do not see it."""
        team = words.read_link(record.get("team_id"))
        return [stage for stage in self.all() if not stage.teams or (team is not None and int(team) in stage.teams)]

    def for_ours(self, wanted: LifecycleStage, record: Mapping[str, Any]) -> Stage | None:
        """Where a lead of ours is to stand; None when its team has no such stage."""
        won = wanted in (LifecycleStage.CUSTOMER, LifecycleStage.EVANGELIST)
        return next((stage for stage in self.open_to(record) if (stage.won if won else stage.ours is wanted)), None)

    def lifecycle(self, record: Mapping[str, Any]) -> LifecycleStage:
        """How far a lead has come. A stage that the options do not name counts as the last named one before it."""
        present = self.of(record)
        if present is not None and present.won:
            return LifecycleStage.CUSTOMER
        converted = record.get("type") == "opportunity" and bool(record.get("date_conversion"))
        reached = LifecycleStage.OPPORTUNITY if converted else LifecycleStage.LEAD
        if present is not None:
            there = {stage.id: stage for stage in (*self.open_to(record), present)}.values()
            before = [stage.ours for stage in there if stage.ours and stage.sequence <= present.sequence]
            reached = max([reached, *before], key=STAGE_ORDER.index)
        return reached

    def _read(self) -> dict[int, Stage]:
        rows = self._rows("team_ids")
        if rows and "team_ids" not in rows[0]:
            rows = self._rows("team_id")
        return {
            row["id"]: Stage(
                row["id"],
                int(row.get("sequence") or 0),
                bool(row.get("is_won")),
                self.names.get(str(row.get("name") or "").strip().casefold()),
                _teams(row),
            )
            for row in rows
        }

    def _rows(self, teams: str) -> list[Mapping[str, Any]]:
        """The stages; whose they are stands in `team_ids` from 19.0 on, in `team_id` before."""
        fields = ["name", "sequence", "is_won"]
        return self._calls.search_read("crm.stage", [], fields, also=(teams,), order="sequence asc, id asc")


def _teams(row: Mapping[str, Any]) -> frozenset[int]:
    link = words.read_link(row.get("team_id"))
    many = row.get("team_ids")
    return frozenset([int(link)] if link else many if isinstance(many, list) else [])
