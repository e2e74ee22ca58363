"""The command line `leadswitch`. One file a group of commands; each imports what it needs when it runs, so that help is quick
and the supervisor stays small.

Exit codes: 0 done, 1 failed, 2 wrong call or configuration.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from connector.cli import (
    allocation,
    audit,
    connections,
    deadletters,
    inbox,
    leads,
    merges,
    models,
    playbooks,
    policy,
    processes,
    reps,
    rescoring,
    scores,
    simulation,
    tokens,
)
from connector.errors import Configuration, LeadswitchError

app = typer.Typer(
    name="leadswitch",
    help="Scores every lead, says why, and gives it to the right rep within seconds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
processes.register(app)
leads.register(app)
allocation.register(app)
scores.register(app)
rescoring.register(app)
simulation.register(app)
app.add_typer(connections.app, name="connections")
app.add_typer(models.app, name="models")
app.add_typer(policy.app, name="policy")
app.add_typer(playbooks.app, name="playbooks")
app.add_typer(reps.app, name="reps")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(inbox.app, name="inbox")
app.add_typer(merges.app, name="merges")
app.add_typer(tokens.app, name="tokens")
app.add_typer(audit.app, name="audit")


def main() -> NoReturn:
    """Run the command line. Errors of ours become one line on stderr and an exit code."""
    try:
        app()
    except Configuration as error:
        print(f"leadswitch: {error}", file=sys.stderr)
        sys.exit(2)
    except LeadswitchError as error:
        print(f"leadswitch: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
        sys.exit(1)
    sys.exit(0)
