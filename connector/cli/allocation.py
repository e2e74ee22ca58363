"""Leads given out now, and those that wait."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_facts, show_json, show_rows
from connector.cli.scores import lead_id_of


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("allocate")(allocate)
    app.command("waiting")(waiting)


def allocate(
    leads: Annotated[list[str] | None, typer.Argument(metavar="[LEAD...]", help="Ids, e-mail addresses or the CRM's ids.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Every lead of this campaign that nobody holds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give out leads that nobody holds.

    One lead is decided by the policy. Several, or those of a campaign, are given out as one optimum: fairness first, then the best
    fit, under everybody's caps.

    Example: leadswitch allocate --campaign "Spring fair"
    """
    from connector.commands import why
    from connector.commands.routing import route, route_many

    with opened_house() as house:
        ids = [lead_id_of(house, lead) for lead in leads or ()]
        if len(ids) == 1 and campaign is None:
            done = route(house, ids[0], me())
            reasons = why(house, ids[0])
            if not done.ok:
                fail(done.text)
            show_facts({"lead": ids[0], "text": done.text, "because": reasons.because if reasons else None}, as_json)
            return
        placed = route_many(house, ids, campaign, me())
        names = house.reps.names()
    if as_json:
        show_json({"given": placed.given, "waiting": placed.waiting, "left_out": placed.left_out})
        return
    rows = [{"lead": lead, "rep": names.get(rep, rep), "note": None} for lead, rep in placed.given.items()]
    rows += [{"lead": lead, "rep": None, "note": "waits"} for lead in placed.waiting]
    rows += [{"lead": lead, "rep": None, "note": note} for lead, note in placed.left_out.items()]
    show_rows(rows, False, "There is nothing to give out.")


def waiting(as_json: AsJson = False) -> None:
    """Leads that nobody could take, or that wait to be claimed, in the order in which they are given out.

    Example: leadswitch waiting
    """
    from connector.commands import why

    with opened_house() as house:
        rows = [
            {
                "lead": held.lead_id, "tier": held.tier.value, "team": held.team, "pool": held.pool, "since": held.since,
                "next_try": held.try_at, "because": reasons.because if (reasons := why(house, held.lead_id)) else None,
            }
            for held in house.waiting.all()
        ]  # fmt: skip
    show_rows(rows, as_json, "Nobody waits.")
