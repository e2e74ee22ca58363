"""Reading an `if`: conditions on score, tier, stage, team, facts, features and acts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from allocation.policy_tables import Table, did_you_mean
from connector.playbooks.conditions import Acted, Conditions, Wanted
from connector.playbooks.spans import read_span
from leads.enums import EngagementKind, LifecycleStage, Tier
from leads.fields import CANONICAL

if TYPE_CHECKING:
    from connector.playbooks.reading import Known


def read_conditions(table: Table, known: Known) -> Conditions:
    """An `if`; an empty table holds always."""
    conditions = Conditions(
        tiers_of(table, "tier"),
        stages_of(table, "stage"),
        frozenset(team.lower() for team in _names(table, "team", known.teams)),
        table.flag("owned"),
        _wanted(table, "score") if "score" in table.values else None,
        _wishes(table.table("facts"), CANONICAL, "fact"),
        _wishes(table.table("features"), known.features, "feature"),
        (*_acted(table, "acted", True), *_acted(table, "not_acted", False)),
    )
    table.done()
    return conditions


def tiers_of(table: Table, key: str) -> frozenset[Tier]:
    """A list of tiers."""
    return frozenset(Tier(word) for word in table.words(key, [tier.value for tier in Tier if tier is not Tier.UNKNOWN]) or ())


def stages_of(table: Table, key: str) -> frozenset[LifecycleStage]:
    """A list of lifecycle stages."""
    known = [stage.value for stage in LifecycleStage if stage is not LifecycleStage.UNKNOWN]
    return frozenset(LifecycleStage(word) for word in table.words(key, known) or ())


def kinds_of(table: Table, key: str) -> frozenset[EngagementKind]:
    """A list of acts."""
    return frozenset(EngagementKind(word) for word in table.words(key, [kind.value for kind in EngagementKind]) or ())


def _names(table: Table, key: str, known: Collection[str] | None) -> tuple[str, ...]:
    names = table.texts(key) or ()
    for name in names if known is not None else ():
        if name not in (known or ()):
            table.wrong(key, f'there is no {key} "{name}"{did_you_mean(name, known or ())}')
    return names


def _wishes(table: Table, known: Iterable[str] | None, what: str) -> dict[str, Wanted]:
    found = {}
    for name in table.values:
        if known is not None and name not in known:
            table.wrong(name, f'"{name}" is not a {what}{did_you_mean(name, known)}')
        found[name] = _wanted(table, name)
    return found


def _wanted(table: Table, key: str) -> Wanted:
    """One wish: `true` or `false` for known or not, words, or a table of bounds."""
    value = table.raw(key)
    if isinstance(value, bool):
        return Wanted(known=value)
    if isinstance(value, str) or (isinstance(value, list) and value):
        return Wanted(words=frozenset(text.lower() for text in table.texts(key) or ()))
    if isinstance(value, dict) and value:
        bounds = table.table(key)
        found = Wanted(low=bounds.number("min", -1e12, 1e12), high=bounds.number("max", -1e12, 1e12))
        bounds.done()
        if found.low is not None and found.high is not None and found.low > found.high:
            table.wrong(key, f"{key} has a min above its max")
        return found
    table.wrong(key, f"{key} must be true, false, a word, a list of words or a table such as {{ min = 50 }}, not {value!r}")
    return Wanted()


def _acted(table: Table, key: str, did: bool) -> list[Acted]:
    if key not in table.values:
        return []
    below = table.table(key)
    found = Acted(kinds_of(below, "kinds"), below.read("within", read_span), did)
    if "kinds" not in below.values:
        below.wrong("kinds", f'{key} needs kinds, such as ["meeting_booked"]')
    below.done()
    return [found]
