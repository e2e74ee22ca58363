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
    """One stage of Odoo; `ours` is None for a stage that the options do not name."""

    id: int
    sequence: int
    won: bool
    ours: LifecycleStage | None


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

    def by_id(self, stage_id: int | None) -> Stage | None:
        """The stage with that id."""
        if stage_id is None:
            return None
        with self._lock:
            if stage_id not in self._by_id:
                self._by_id = self._read()
            return self._by_id.get(stage_id)

    def all(self) -> list[Stage]:
        """Every stage, first ones first."""
        with self._lock:
            self._by_id = self._by_id or self._read()
            return sorted(self._by_id.values(), key=lambda stage: (stage.sequence, stage.id))

    def for_ours(self, wanted: LifecycleStage) -> Stage | None:
        """Where a lead of ours is to stand; None when the tenant has no such stage."""
        if wanted in (LifecycleStage.CUSTOMER, LifecycleStage.EVANGELIST):
            return next((stage for stage in self.all() if stage.won), None)
        return next((stage for stage in self.all() if stage.ours is wanted), None)

    def lifecycle(self, record: Mapping[str, Any]) -> LifecycleStage:
        """How far a lead has come. A stage that the options do not name counts as the last named one before it."""
        link = words.read_link(record.get("stage_id"))
        present = self.by_id(int(link)) if link else None
        if present is not None and present.won:
            return LifecycleStage.CUSTOMER
        converted = record.get("type") == "opportunity" and bool(record.get("date_conversion"))
        reached = LifecycleStage.OPPORTUNITY if converted else LifecycleStage.LEAD
        if present is not None:
            before = [stage.ours for stage in self.all() if stage.ours and stage.sequence <= present.sequence]
            reached = max([reached, *before], key=STAGE_ORDER.index)
        return reached

    def _read(self) -> dict[int, Stage]:
        rows = self._calls.search_read("crm.stage", [], ["name", "sequence", "is_won"], order="sequence asc, id asc")
        return {
            row["id"]: Stage(
                row["id"],
                int(row.get("sequence") or 0),
                bool(row.get("is_won")),
                self.names.get(str(row.get("name") or "").strip().casefold()),
            )
            for row in rows
        }
