"""Some rows of an import at once: newcomers in bulk, everybody else as any change; who resembles somebody is joined with them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from connector.bootstrap import House
from connector.likeness import Person, blocks, compare, person_of
from connector.pipeline import ownership
from connector.pipeline.consent import PURPOSE
from connector.pipeline.identity import join_near
from connector.storage.leads import FOREIGN_ID, Applied
from connector.storage.namesakes import likeliest
from connector.storage.newcomers import Newcomer
from leads.enums import Outcome
from leads.records import LeadChange

#: Rows of a file without dates are laid this far apart, and an outcome comes so long after its lead.
SPACING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row as read: its (normalised) change, how it ended, and who it is about."""

    change: LeadChange
    outcome: Outcome
    person: Person


def store(house: House, connection: str, chunk: Sequence[ReadRow]) -> tuple[int, int]:
    """Take the rows in, within the caller's transaction; returns (made, changed)."""
    named = [_tokens(house, connection, row.change) for row in chunk]
    house.leads.hold(token for tokens in named for token in tokens)
    buried = house.privacy.buried({token for tokens in named for _, token in tokens})
    refused = house.privacy.refused({str(email) for row in chunk if (email := row.change.fields.get("email"))}, PURPOSE)
    known = house.newcomers.known(token for tokens in named for token in tokens)
    fresh: list[tuple[ReadRow, Newcomer]] = []
    others: list[ReadRow] = []
    for row, tokens in zip(chunk, named, strict=True):
        if row.change.fields.get("email") in refused or any(token in buried for _, token in tokens):
            continue
        if known.isdisjoint(tokens):
            near = house.namesakes.tokens(blocks(row.person))
            at = row.change.occurred_at + SPACING if row.outcome is not Outcome.OPEN else None
            fresh.append((row, Newcomer(row.change, tokens, near, row.outcome, at)))
        else:
            others.append(row)
        known.update(tokens)
    met = house.namesakes.blocks(token for _, newcomer in fresh for token in newcomer.near)
    ids = house.newcomers.add(connection, [newcomer for _, newcomer in fresh])
    _join_alike(house, met, ids, fresh)
    changes = Counter(_change(house, connection, row) for row in others)
    return len(ids) + changes["made"], changes["changed"]


def _tokens(house: House, connection: str, change: LeadChange) -> list[tuple[str, str]]:
    """What names the row's person. Its id is one of a system elsewhere too: a CRM record that carries it is the same lead."""
    named = house.leads.tokens(connection, change.external_id, change.fields, change.extra)
    return list(dict.fromkeys([*named, *house.leads.tokens("", None, {}, {FOREIGN_ID: change.external_id})]))


def _change(house: House, connection: str, row: ReadRow) -> Literal["made", "changed", "known"]:
    """Somebody known, named twice in the file, or behind a number that somebody else is known by. Returns what it did."""
    made = house.leads.apply(connection, row.change, live=False)
    applied = join_near(house, made)
    house.leads.known_elsewhere_as(applied.lead_id, row.change.external_id)
    if row.outcome is not Outcome.OPEN:
        ended = house.leads.settle if applied.created else partial(ownership.end, house)
        ended(applied.lead_id, row.outcome, row.change.occurred_at + SPACING)
    if made.created:
        return "made"
    return "changed" if applied.fields else "known"


def _join_alike(
    house: House, met: defaultdict[str, list[int]], ids: Sequence[int], fresh: Sequence[tuple[ReadRow, Newcomer]]
) -> None:
    """Look for namesakes of all newcomers at once, and let those who have one be judged as any change is.

    `met` are the leads that were there before behind each token.
    """
    for lead_id, (_, newcomer) in zip(ids, fresh, strict=True):
        for token in newcomer.near:
            met[token].append(lead_id)
    crowds = {token: leads for token, leads in met.items() if len(leads) > 1}
    alike: dict[int, list[int]] = {}
    for lead_id, (_, newcomer) in zip(ids, fresh, strict=True):
        shared = Counter(other for token in newcomer.near if token in crowds for other in crowds[token] if other != lead_id)
        alike[lead_id] = likeliest(shared)
    people = {lead_id: row.person for lead_id, (row, _) in zip(ids, fresh, strict=True)}
    unread = {other for others in alike.values() for other in others} - people.keys()
    people |= {lead_id: person_of(fields) for lead_id, fields in house.leads.fields_of(sorted(unread)).items()}
    for lead_id, others in alike.items():
        if any(other in people and compare(people[lead_id], people[other]).same for other in others):
            join_near(house, Applied(lead_id, fields=("last_name",), created=True))
