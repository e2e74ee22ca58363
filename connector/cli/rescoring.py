"""Scores of the whole base: rescore."""

from __future__ import annotations

from dataclasses import asdict

import typer

from connector.cli.answers import AsJson, opened_house, progress, show_facts


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(rescore)


def rescore(as_json: AsJson = False) -> None:
    """Score every stored lead again.

    After a new model, a changed feed, or by wish. Touched leads and those in work are scored again by themselves. Of a lead in work
    whose tier changes, or whose score moves far enough, the CRM and the rep are told.

    Example: leadswitch rescore
    """
    from connector.pipeline.rescore import rescore_base

    with opened_house() as house, progress("Scoring again") as report:
        done = rescore_base(house, report)
    show_facts(asdict(done), as_json)
