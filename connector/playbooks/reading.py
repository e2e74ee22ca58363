"""Reading a file of playbooks: every mistake becomes one line that names file and line, in the manner of the policy."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from allocation.policy_tables import Findings, PolicyError, Problem, Table
from allocation.toml_lines import line_numbers
from connector.pipeline.wishes import parse_quiet
from connector.playbooks.plan import NOT_THEIRS, STOPS, On, Playbook, Since, When
from connector.playbooks.reading_conditions import kinds_of, read_conditions, stages_of, tiers_of
from connector.playbooks.reading_steps import read_steps
from connector.playbooks.spans import read_span

#: A run of the same playbook for the same lead begins at most this often, whatever the file says.
LEAST_AGAIN: Final = timedelta(days=1)
MOST_NAME: Final = 64


class PlaybookError(PolicyError):
    """The playbooks cannot be used. `str()` has one line a problem: `playbooks.toml:12: …`."""


@dataclass(frozen=True, slots=True)
class Known:
    """The names a file may use; None where they cannot be looked up, and so are not checked."""

    teams: Collection[str] | None = None
    webhooks: Collection[str] | None = None
    tools: Collection[str] | None = None  # connections that people can be enrolled in
    features: Collection[str] | None = None
    email: bool | None = None  # whether SMTP is set up


@dataclass(frozen=True)
class Playbooks:
    """A whole file. `version` is a hash over the content; comments and the order of keys do not count."""

    version: str
    by_name: Mapping[str, Playbook]
    warnings: tuple[Problem, ...] = field(default_factory=tuple)


NONE: Final = Playbooks("", {})


def parse_playbooks(text: str, name: str = "playbooks.toml", known: Known | None = None) -> Playbooks:
    """Read a file. Raises `PlaybookError` (a ValueError) with a line for everything that is wrong."""
    try:
        tables = tomllib.loads(text)
    except ValueError as error:
        message = str(error)
        line = message.rpartition("line ")[2].split(",")[0] if "line " in message else str(text.count("\n") + 1)
        raise PlaybookError(name, [Problem(int(line), f"this is not TOML: {message}")]) from error
    findings = Findings(line_numbers(text))
    found = _read(Table(tables, (), findings), known or Known())
    if findings.problems:
        raise PlaybookError(name, findings.problems)
    canonical = json.dumps(tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    version = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    return Playbooks(version, found, tuple(sorted(findings.warnings, key=lambda one: one.line)))


def read_stored(name: str, table: Mapping[str, Any]) -> Playbook:
    """The playbook of a run, out of the table that was kept with it. Raises `PlaybookError` when the program reads it no more."""
    return _stored(name, json.dumps(table, sort_keys=True))


@lru_cache(maxsize=256)
def _stored(name: str, table: str) -> Playbook:
    findings = Findings({})
    playbook = _playbook(name, Table(json.loads(table), ("playbooks", name), findings), Known())
    if findings.problems:
        raise PlaybookError(f"the stored playbook {name}", findings.problems)
    return playbook


def _read(top: Table, known: Known) -> dict[str, Playbook]:
    found = {}
    for name, table in top.tables("playbooks"):
        if len(name) > MOST_NAME:
            top.findings.wrong(("playbooks", name), f"a playbook's name has at most {MOST_NAME} characters")
        found[name] = _playbook(name, table, known)
    if not found:
        top.findings.wrong(("playbooks",), "there is no playbook; write for example [playbooks.hot-inbound]")
    top.done()
    return found


def _playbook(name: str, table: Table, known: Known) -> Playbook:
    title = table.text("title") or name
    enabled = table.flag("enabled")
    again = table.read("again", read_span)
    if again is not None and again < LEAST_AGAIN:
        table.wrong("again", 'again must be a day or more, such as "30d"')
    stops, stages = _stops(table.table("stop"))
    playbook = Playbook(
        name,
        title,
        _when(table.table("when")),
        read_conditions(table.table("if"), known),
        read_steps(table, known),
        table.values,
        enabled is not False,
        again,
        stops,
        stages,
        table.read("quiet_hours", parse_quiet),
    )
    if not playbook.steps and not table.findings.problems:
        table.wrong("steps", f"{name} has no steps; write for example [[playbooks.{name}.steps]]")
    table.done()
    return playbook


def _stops(table: Table) -> tuple[frozenset[Any], frozenset[Any]]:
    words = table.words("on", STOPS) or ()
    stages = stages_of(table, "stages")
    table.done()
    return frozenset(kind for word in {*words, "opt_out"} for kind in STOPS[word]), stages


def _when(table: Table) -> When:
    on = table.choice("on", On)
    if on is None:
        if "on" not in table.values:
            table.wrong("on", f"when must say on what; known: {', '.join(On)}")
        return When(On.SCORE)
    when = When(on)
    if on is On.SCORE:
        above = table.number("above", 1.0, 100.0)
        when = replace(when, above=above or 0.0)
        _needed(table, "above")
    elif on is On.TIER:
        when = replace(when, tiers=tiers_of(table, "to"), from_tiers=tiers_of(table, "from"))
        _needed(table, "to")
    elif on is On.STAGE:
        when = replace(when, stages=stages_of(table, "to"))
        _needed(table, "to")
    elif on is On.ACT:
        when = replace(when, kinds=kinds_of(table, "kinds"))
        _needed(table, "kinds")
        for kind in sorted(when.kinds & NOT_THEIRS):
            table.wrong("kinds", f'"{kind}" is no act of the lead: a playbook that it starts could start itself')
    else:
        when = replace(
            when, since=table.choice("since", Since) or Since.LAST_ACT, after=table.read("after", read_span) or timedelta()
        )
        _needed(table, "after")
    table.done()
    return when


def _needed(table: Table, key: str) -> None:
    if key not in table.values:
        table.wrong(key, f"when on = {table.values['on']!r} needs {key}")
