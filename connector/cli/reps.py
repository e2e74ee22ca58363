"""Reps: who can be given leads, and what people set for them."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_facts, show_rows, wrong

app = typer.Typer(help="Reps and their settings.", no_args_is_help=True)


@app.command("list")
def list_reps(as_json: AsJson = False) -> None:
    """Every rep the CRM knows, with load and settings.

    Example: leadswitch reps list
    """
    with opened_house() as house:
        load, speeds = house.decisions.open_counts(), house.timers.speeds()
        rows = [
            {
                "id": rep.id, "name": rep.name, "email": rep.email, "connection": rep.connection, "owner_id": rep.external_id,
                "active": rep.active, "open_leads": load.get(rep.id, 0), "last_assigned_at": rep.last_assigned_at,
                "teams": [rep.team] if rep.settings.get("team") else list(rep.crm_teams),
                "speed_to_lead_s": round(median(speeds[rep.id])) if rep.id in speeds else None,
                "settings": dict(rep.settings) if as_json else ", ".join(f"{key}={value}" for key, value in rep.settings.items()),
            }
            for rep in house.reps.all()
        ]  # fmt: skip
    show_rows(rows, as_json, "No reps yet: they come with `leadswitch connections backfill`.")


@app.command("set")
def set_rep(
    rep: Annotated[str, typer.Argument(metavar="REP", help="Id or e-mail address.")],
    settings: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="What to set; NAME= takes a setting back.")],
    as_json: AsJson = False,
) -> None:
    """Set what the engine should know of a rep.

    What is set here wins over the policy file and the CRM. Names: active, weight, capacity, per_hour, per_day, per_week, timezone,
    team, paused_until, hours, holidays, pto, languages, products, industries, countries, regions, postcodes, employees. Lists and
    tables are JSON.

    Example: leadswitch reps set anna@example.com capacity=30 paused_until=2027-01-07 languages='["de", "en"]'
    """
    from connector import commands

    changes = dict(_read(setting) for setting in settings)
    with opened_house() as house:
        found = house.reps.by_email(rep) if "@" in rep else house.reps.get(rep)
        if found is None:
            fail(f"There is no rep {rep}: see leadswitch reps list.")
        changed = commands.set_rep(house, found.id, changes, me())
    show_facts({"id": changed.id, "name": changed.name, **changed.settings}, as_json)


@app.command()
def calendar(
    rep: Annotated[str, typer.Argument(metavar="REP", help="Id or e-mail address.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.ics", help="iCalendar, as calendars export it.")],
    every: Annotated[bool, typer.Option("--every", help="Count all events but free ones: for a calendar of absences.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a rep's out-of-office times from a calendar file.

    They take the place of those of an earlier file; absences set by hand stay. What an appointment is called is not kept.

    Example: leadswitch reps calendar anna@example.com anna.ics
    """
    from connector.commands.reps import set_calendar

    try:
        ics = file.read_bytes()
    except OSError as error:
        wrong(f"{file} cannot be read ({error.strerror}).")
    with opened_house() as house:
        found = house.reps.by_email(rep) if "@" in rep else house.reps.get(rep)
        if found is None:
            fail(f"There is no rep {rep}: see leadswitch reps list.")
        changed = set_calendar(house, found.id, ics, me(), every=every)
    rows = [{"from": start, "until": end} for start, end in changed.settings.get("calendar") or ()]
    show_rows(rows, as_json, f"{file} holds no absence that is still to come.")


@app.command()
def unlink(
    rep: Annotated[str, typer.Argument(metavar="REP", help="Id or e-mail address.")],
    why: Annotated[str, typer.Option(help="For the audit trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Forget who a rep is in Slack, as when the wrong person was linked.

    Whoever has the rep's e-mail address in Slack is linked again when they next act; anybody else asks with the button "Link me".

    Example: leadswitch reps unlink anna@example.com --why "linked to her namesake"
    """
    from connector import commands

    with opened_house() as house:
        found = house.reps.by_email(rep) if "@" in rep else house.reps.get(rep)
        if found is None:
            fail(f"There is no rep {rep}: see leadswitch reps list.")
        done = commands.unlink_rep(house, found.id, me(), why)
    if not done.ok:
        fail(done.text)
    show_facts({"id": found.id, "told": done.text}, as_json)


def _read(setting: str) -> tuple[str, Any]:
    """`name=value`: the value is JSON where it reads as such, else text, and None when it is empty."""
    name, equals, value = setting.partition("=")
    if not equals:
        wrong(f"{setting} is not NAME=VALUE.")
    if not value:
        return name, None
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
