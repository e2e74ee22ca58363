"""Reps: who can be given leads, and what people set for them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from connector.cli.answers import AsJson, fail, opened_house, show_facts, show_rows, wrong

app = typer.Typer(help="Reps and their settings.", no_args_is_help=True)


@app.command("list")
def list_reps(as_json: AsJson = False) -> None:
    """Every rep the CRM knows, with load and settings.

    Example: leadswitch reps list
    """
    with opened_house() as house:
        load = house.decisions.open_counts()
        rows = [
            {
                "id": rep.id, "name": rep.name, "email": rep.email, "connection": rep.connection, "owner_id": rep.external_id,
                "active": rep.active, "open_leads": load.get(rep.id, 0), "last_assigned_at": rep.last_assigned_at,
                "settings": dict(rep.settings) if as_json else ", ".join(f"{key}={value}" for key, value in rep.settings.items()),
            }
            for rep in house.reps.all()
        ]  # fmt: skip
    show_rows(rows, as_json, "No reps yet: they come with `leadswitch connections backfill`.")


@app.command("set")
def set_rep(
    rep: Annotated[str, typer.Argument(metavar="REP", help="Id or e-mail address.")],
    weight: Annotated[float | None, typer.Option(help="Share of the rotation against the others (1 is normal).")] = None,
    capacity: Annotated[int | None, typer.Option(help="Most open leads at a time.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    team: Annotated[str | None, typer.Option(help="The team in the policy.")] = None,
    pause_until: Annotated[str | None, typer.Option(help="No new leads until this day (YYYY-MM-DD).")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="May be given leads at all.")] = None,
    reason: Annotated[str, typer.Option(help="For the audit trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Set what the engine should know of a rep.

    What is set here wins over the policy file and the CRM.

    Example: leadswitch reps set anna@example.com --capacity 30 --pause-until 2027-01-07
    """
    changes: dict[str, Any] = {"weight": weight, "capacity": capacity, "timezone": timezone, "team": team, "active": active}
    changes = {name: value for name, value in changes.items() if value is not None}
    if weight is not None and not 0 <= weight <= 100:
        wrong("--weight must lie within 0 and 100.")
    if capacity is not None and capacity < 0:
        wrong("--capacity must not be negative.")
    if timezone is not None:
        _check_zone(timezone)
    if pause_until is not None:
        changes["paused_until"] = _day(pause_until).isoformat()
    if not changes:
        wrong("Nothing to set; see leadswitch reps set --help.")
    with opened_house() as house:
        found = house.reps.by_email(rep) if "@" in rep else house.reps.get(rep)
        if found is None:
            fail(f"There is no rep {rep}: see leadswitch reps list.")
        with house.db.transaction():
            changed = house.reps.set(found.id, changes)
            before = {name: found.settings.get(name) for name in changes}
            house.audit.add("cli", "rep.set", f"rep:{found.id}", reason=reason or None, detail={"before": before, "after": changes})
    show_facts({"id": found.id, "name": found.name, **(changed.settings if changed else {})}, as_json)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        wrong(f"There is no time zone {name}; write it like Europe/Berlin.")


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        wrong(f"--pause-until {text} is not a day; write it like 2027-01-07.")
