"""The processes of an installation, and what is done once: up, web, worker, clock, demo, migrate, doctor."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from connector.cli.answers import AsJson, show_json

Leash = Annotated[int | None, typer.Option("--leash", hidden=True, help="Set by the supervisor.")]
#: Started by name, never by import: `connector` knows neither `webhooks` nor the demo's sandbox.
WEB_APP = "webhooks.app:create_app"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (up, web, worker, clock, demo, migrate, doctor):
        app.command()(command)


def up() -> None:
    """Run everything under one supervisor.

    The embedded Valkey (unless redis_url is set), web, worker and clock; what dies is started again.

    Example: leadswitch up
    """
    from connector.settings import read_settings
    from connector.supervisor import up as supervise

    raise typer.Exit(supervise(read_settings()))


def web(leash: Leash = None) -> None:
    """Run the web process alone.

    It takes webhooks, API calls and Slack requests.

    Example: leadswitch web
    """
    _hold(leash)
    import uvicorn

    from connector.settings import read_settings

    settings = read_settings()
    uvicorn.run(
        WEB_APP,
        factory=True,
        host=settings.bind_host,
        port=settings.bind_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # addresses that a sender can invent are not trusted
        timeout_graceful_shutdown=15,
    )


def worker(leash: Leash = None) -> None:
    """Run one worker process.

    It serves every queue.

    Example: leadswitch worker
    """
    _hold(leash)
    _call("connector.worker", "main")


def clock(leash: Leash = None) -> None:
    """Run the clock.

    It rings for work that was missed or is now due, and seals the audit trail. Several may run; one acts.

    Example: leadswitch clock
    """
    _hold(leash)
    _call("connector.schedule", "main")


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop by itself; exit code 0 only if every check holds.")] = False,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="NAME", help="A worked policy (startup, regional, enterprise) or a policy file."),
    ] = None,
) -> None:
    """Try everything in a sandbox.

    A CRM, an e-mail tool, Slack and an LLM run on this machine and speak the vendors' own wire formats.

    Example: leadswitch demo --once
    """
    raise typer.Exit(_call("connector.demo", "main", once=once, policy=policy))


def migrate(quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when there is nothing to do.")] = False) -> None:
    """Bring the database up to date.

    Safe to repeat, and from several machines at once.

    Example: leadswitch migrate
    """
    from connector.settings import read_settings
    from connector.storage.db import Database

    settings = read_settings()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        applied = database.migrate()
    finally:
        database.close()
    for name in applied:
        print(f"applied {name}")
    if not applied and not quiet:
        print("The database is up to date.")


def doctor(as_json: AsJson = False) -> None:
    """Check everything and say how to mend it.

    Configuration, database, queue, connections, Slack, model, clock. Exit code 1 when something is not right.

    Example: leadswitch doctor
    """
    from connector.doctor import examine
    from connector.settings import read_settings

    settings = read_settings()
    results = []
    for result in examine(settings):
        results.append(result)
        if not as_json:
            _show(result.ok, result.name, result.detail, result.mend)
    bad = [result for result in results if not result.ok]
    if as_json:
        show_json([{"name": r.name, "ok": r.ok, "detail": r.detail, "mend": r.mend} for r in results])
    else:
        print(f"\n{len(results) - len(bad)} of {len(results)} checks hold.")
    raise typer.Exit(1 if bad else 0)


def _show(ok: bool, name: str, detail: str, mend: str) -> None:
    mark = "ok  " if ok else "BAD "
    if sys.stdout.isatty():
        mark = f"\033[{32 if ok else 31}m{mark}\033[0m"
    print(f"{mark} {name:<28} {detail}", flush=True)
    if mend and not ok:
        print(f"     {'':<28} → {mend}", flush=True)


def _hold(leash: int | None) -> None:
    if leash is not None:
        from connector.supervisor import follow

        follow(leash)


def _call(module: str, function: str, **options: Any) -> Any:
    return getattr(import_module(module), function)(**options)
