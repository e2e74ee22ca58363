"""Connections: the configured accounts of CRMs and e-mail tools."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from connector.cli.answers import AsJson, counting, opened_house, show_facts, show_rows, wrong

app = typer.Typer(help="Configured accounts of CRMs and e-mail tools.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="As in leadswitch.toml: [connections.CONNECTION].")]


@app.command("list")
def list_connections(as_json: AsJson = False) -> None:
    """Every connection and its webhook address.

    Example: leadswitch connections list
    """
    with opened_house() as house:
        rows = [
            {
                "name": name, "adapter": one.adapter, "kind": house.adapter(name).kind,
                "webhook": f"{house.settings.public_url.rstrip('/')}/webhooks/{name}", "calls": one.base_url or None,
                "secrets": len(one.webhook_secrets),
            }
            for name, one in house.settings.connections.items()
        ]  # fmt: skip
    show_rows(rows, as_json, "No connections yet: see README.md, or examples/leadswitch.toml.")


@app.command("test")
def check(
    name: Annotated[str | None, typer.Argument(metavar="[CONNECTION]", help="By default all of them.")] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Create in the CRM what we need there, such as custom properties.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try credentials and webhook subscription.

    Permissions and custom properties too. Exit code 1 when something is wrong.

    Example: leadswitch connections test hubspot-main --mend
    """
    from connector.doctor import examine_connection

    with opened_house() as house:
        names = [name] if name else list(house.settings.connections)
        results = [(one, result) for one in names for result in examine_connection(house, one, mend=mend)]
    rows = [
        {"connection": one, "check": r.name, "ok": r.ok, "detail": r.detail, "mend": "" if r.ok else r.mend} for one, r in results
    ]
    show_rows(rows, as_json, "No connections yet: see README.md.")
    raise typer.Exit(0 if all(result.ok for _, result in results) else 1)


@app.command()
def backfill(name: Name, as_json: AsJson = False) -> None:
    """Read what the CRM has already.

    Owners, existing leads, their history and outcomes. Goes on where an interrupted run stopped.

    Example: leadswitch connections backfill hubspot-main
    """
    from connector.pipeline.backfill import run

    with opened_house() as house:
        _crm(name, house.crm_connections())
        with counting(f"Reading {name}", "leads") as report:
            read = run(house, name, report)
    show_facts(asdict(read), as_json)


@app.command()
def reconcile(name: Name, as_json: AsJson = False) -> None:
    """Take in what no webhook told us.

    Asks the CRM for what changed since the last time.

    Example: leadswitch connections reconcile hubspot-main
    """
    from connector.pipeline.backfill import reconcile as run

    with opened_house() as house:
        _crm(name, house.crm_connections())
        with counting(f"Comparing {name}", "leads") as report:
            found = run(house, name, report)
    show_facts(asdict(found), as_json)


def _crm(name: str, crms: list[str]) -> None:
    if name not in crms:
        wrong(f"{name} is not a CRM connection; there are: {', '.join(crms) or 'none'}.")
