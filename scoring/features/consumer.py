"""Consumers and brokers' clients: who they are, and how they look for what they want."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement, FieldValue
from scoring.facts import to_number, to_word
from scoring.features.feature import Feature, Group
from scoring.features.timelines import Timelines, Values
from scoring.features.words import counted, silent

#: Bounds are the first number that lies above the band.
INCOME: Final = ((25_000, "under 25k"), (50_000, "25k to 50k"), (100_000, "50k to 100k"), (200_000, "100k to 200k"))
AGE: Final = ((18, "under 18"), (25, "18 to 24"), (35, "25 to 34"), (45, "35 to 44"), (55, "45 to 54"), (65, "55 to 64"))
#: Bands of the FICO score as its publisher names them.
CREDIT: Final = ((580, "poor"), (670, "fair"), (740, "good"), (800, "very good"))


def _band(name: str, bands: Sequence[tuple[float, str]], beyond: str) -> Callable[[Timelines], Values]:
    """A number as its band; a band in the tenant's own words stays as it is, in lower case."""

    def read(number: float | None, word: str | None) -> FieldValue:
        return word if number is None else next((band for bound, band in bands if number < bound), beyond)

    return lambda lines: [read(*one) for one in zip(lines.numbers(name), lines.lowered(name), strict=True)]


def _plain(name: str) -> Callable[[Timelines], Values]:
    return lambda lines: lines.lowered(name)


def search_specificity(lines: Timelines) -> Values:
    """Mean number of criteria of the searches of 30 days: told by the source, else the words of the query."""
    asked: dict[int, list[float]] = {}
    for owner, act in lines.of(Kind.SEARCHED).after(lines.since(30)):
        asked.setdefault(owner, []).append(_criteria(act))
    return [fmean(asked[owner]) if owner in asked else None for owner in range(lines.size)]


def _criteria(search: Engagement) -> float:
    told = to_number(search.properties.get("criteria"))
    return len((to_word(search.properties.get("query")) or "").split()) if told is None else told


def listings_compared(lines: Timelines) -> Values:
    """Different listings among the views of 30 days; a view that does not say which is one of its own."""
    found, named = [0] * lines.size, set()
    for owner, act in lines.of(Kind.LISTING_VIEWED).after(lines.since(30)):
        listing = act.properties.get("listing")
        if listing:
            named.add((owner, str(listing)))
        else:
            found[owner] += 1
    for owner, _ in named:
        found[owner] += 1
    return found


def _specific_words(value: FieldValue, up: bool) -> str | None:
    return None if value is None else "knows what to look for" if up else "searches without a clear wish"


def _who(name: str, compute: Callable[[Timelines], Values], meaning: str) -> Feature:
    """A fact about a private person: it may weigh, and is neither told as a reason nor kept in the clear."""
    source, missing = f"facts.{name}", "missing when the field is blank"
    return Feature(name, Group.FIRMOGRAPHIC, "categorical", meaning, source, missing, compute, silent)


_NEVER = "never missing: no event is 0"
_DOES = Group.BEHAVIOURAL

FEATURES: Final = (
    _who("income_bracket", _band("income_bracket", INCOME, "200k or more"), "Income bracket of a consumer"),
    _who("age_range", _band("age_range", AGE, "65 or more"), "Age range of a consumer"),
    _who("family", _plain("family"), "Family situation of a consumer"),
    _who(
        "credit_band",
        _band("credit_band", CREDIT, "exceptional"),
        "Credit band of a consumer: poor to exceptional, or the tenant's",
    ),
    _who("employment", _plain("employment"), "Employment of a consumer"),
    Feature(
        "listing_views_30d",
        _DOES,
        "numeric",
        "Listing views in 30 days",
        "engagements: listing_viewed",
        _NEVER,
        lambda lines: lines.count(Kind.LISTING_VIEWED, days=30),
        counted("viewed", "listing", "listings", "in 30 days"),
        1,
        "listings",
    ),
    Feature(
        "listings_compared",
        _DOES,
        "numeric",
        "Different listings viewed in 30 days",
        "engagements: listing_viewed, its listing",
        _NEVER,
        listings_compared,
        counted("compared", "listing", "listings", "in 30 days"),
        0,
        "listings",
    ),
    Feature(
        "search_frequency",
        _DOES,
        "numeric",
        "Search frequency: searches in 30 days",
        "engagements: searched",
        _NEVER,
        lambda lines: lines.count(Kind.SEARCHED, days=30),
        counted("searched", "time", "times", "in 30 days"),
        1,
        "searches",
    ),
    Feature(
        "search_specificity",
        _DOES,
        "numeric",
        "Search specificity: mean number of criteria of the searches of 30 days",
        "engagements: searched, its criteria, else the words of its query",
        "missing without a search in 30 days",
        search_specificity,
        _specific_words,
        1,
        "searches",
    ),
)
