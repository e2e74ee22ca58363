"""Dated values of feeds, kept so that a lead can be seen with what was known around it at any moment.

A value belongs to a place: an area, a region, a country, an industry, a company's domain (as a keyed token), or everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.clock import from_ms, to_ms
from connector.storage.db import Database, marks
from connector.vault import Vault
from leads.records import FieldValue, Signal
from scoring.domains import FREE
from scoring.facts import email_domain, to_word
from scoring.feeds import SCOPES, STALE_DAYS

#: Values written or places asked for in one statement.
TAKEN_AT_ONCE = 500
#: Scope → the facts that name its place; the first filled one of each group counts beside those of the others.
NAMED_BY: Mapping[str, Sequence[str]] = {
    "area": ("postcode", "city"),
    "region": ("region",),
    "country": ("country",),
    "industry": ("industry",),
}


@dataclass(frozen=True, slots=True)
class FeedValue:
    """One value as a feed tells it. `key` names the place within the scope, in any case; empty for "everywhere"."""

    name: str
    scope: str
    key: str
    at: datetime
    value: float


class Signals:
    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    def take(self, feed: str, values: Iterable[FeedValue]) -> int:
        """Keep these values of a feed; a value told again for one place and moment replaces the one before. Returns how many."""
        newest = {(one.name, self._place(one.scope, one.key), to_ms(one.at)): one.value for one in values}
        told = [(feed, name, place, at, value) for (name, place, at), value in newest.items()]
        with self._db.transaction():
            for start in range(0, len(told), TAKEN_AT_ONCE):
                part = told[start : start + TAKEN_AT_ONCE]
                insert = (
                    f"INSERT INTO feed_signal (feed, name, place, at, value) VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(part))}"  # noqa: S608
                )
                replace = "ON CONFLICT (feed, name, place, at) DO UPDATE SET value = excluded.value"
                self._db.run(f"{insert} {replace}", *(item for row in part for item in row))
        return len(told)

    def of(self, leads: Sequence[tuple[Mapping[str, FieldValue], datetime]]) -> list[tuple[Signal, ...]]:
        """The signals that concern each of these leads, given by (facts, as of), oldest first."""
        if not leads or not self._db.run("SELECT 1 FROM feed_signal LIMIT 1").fetchone():  # most tenants have no feed
            return [()] * len(leads)
        wanted = [self._places(facts) for facts, _ in leads]
        since = to_ms(min(as_of for _, as_of in leads) - timedelta(days=STALE_DAYS))
        until = to_ms(max(as_of for _, as_of in leads))
        places = sorted({place for lead in wanted for place in lead})
        known: dict[str, list[Signal]] = {}
        for start in range(0, len(places), TAKEN_AT_ONCE):
            part = places[start : start + TAKEN_AT_ONCE]
            read = f"SELECT place, name, at, value FROM feed_signal WHERE place IN ({marks(part)}) AND at > ? AND at <= ?"  # noqa: S608
            for place, name, at, value in self._db.run(f"{read} ORDER BY at, name, feed", *part, since, until).fetchall():
                known.setdefault(place, []).append(Signal(name, place.partition(":")[0], from_ms(at), value))
        return [
            tuple(signal for place in lead for signal in known.get(place, ()) if signal.at <= as_of)
            for lead, (_, as_of) in zip(wanted, leads, strict=True)
        ]

    def _places(self, facts: Mapping[str, FieldValue]) -> list[str]:
        """Where a lead is, as kept; a free-mail domain is no company's."""
        domain = email_domain(facts)
        found = [("domain", domain)] if domain and domain not in FREE else []
        found += [(scope, word) for scope, names in NAMED_BY.items() for name in names if (word := to_word(facts.get(name)))]
        return [*(self._place(scope, key) for scope, key in found), "everywhere:"]

    def _place(self, scope: str, key: str) -> str:
        if scope not in SCOPES:
            raise ValueError(f"scope {scope!r} is none of {', '.join(SCOPES)}")
        word = key.strip().lower()
        return f"{scope}:{self._vault.index('domain', word) if scope == 'domain' else word}"
