"""Leads as they stood: one by one, many at once, at past moments, with what feeds tell of the places they belong to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector import testing
from connector.bootstrap import House
from connector.storage.signals import FeedValue
from connector.testing import NOON
from leads.enums import ChangeKind, EngagementKind
from leads.records import EngagementEvent, FieldValue, LeadChange
from scoring.features import build
from scoring.timeline import MOST_ACTS


@pytest.fixture
def home(tmp_path: Path) -> House:
    return testing.house(tmp_path)


def make(home: House, number: int, acts: int = 3, at: int = 0, **fields: FieldValue) -> int:
    """A lead of ten days ago with so many opened e-mails, one an hour, and a reply."""
    change = LeadChange(f"c{number}{at}", f"x{number}", NOON - timedelta(days=10 - at), ChangeKind.CHANGED, fields=fields)
    opened, since = EngagementKind.EMAIL_OPENED, NOON - timedelta(days=9)
    events = [EngagementEvent(f"o{number}.{place}", opened, since + timedelta(hours=place)) for place in range(acts)]
    events.append(EngagementEvent(f"r{number}", EngagementKind.EMAIL_REPLIED, NOON - timedelta(hours=2), text="Too expensive?"))
    with home.db.transaction():
        lead_id = home.leads.apply("crm", change, live=True).lead_id
        home.leads.add_engagements("crm", events, lead_id, live=True)
    return lead_id


def tell(home: House, *values: FeedValue) -> None:
    home.signals.take("market", values)


def prices(scope: str, key: str, days: int, value: float) -> FeedValue:
    return FeedValue("area_prices", scope, key, NOON - timedelta(days=days), value)


def test_many_at_once_are_what_each_is_alone(home: House) -> None:
    ids = [make(home, number, acts=number, email=f"a{number}@acme.example", city="Leeds", title="CEO") for number in range(5)]
    tell(home, prices("area", "Leeds", 400, 100.0), prices("area", "leeds", 4, 120.0))
    with home.db.transaction():
        home.leads.erase(ids[3])
    alone = [home.histories.at(lead_id, NOON) for lead_id in ids]
    assert home.histories.at_many([*ids, 99_999], NOON) == [one for one in alone if one is not None]
    assert alone[3] is None
    assert home.histories.at_many([], NOON) == []


def test_a_past_moment_is_seen_as_it_was(home: House) -> None:
    lead_id = make(home, 1, city="Leeds", title="Assistant", email="a@acme.example")
    make(home, 1, at=9, title="CEO")
    tell(home, prices("area", "leeds", 380, 100.0), prices("area", "leeds", 6, 90.0), prices("area", "leeds", 1, 300.0))
    for days in (0, 1.5, 5, 9, 11):
        as_of = NOON - timedelta(days=days)
        alone, many, (each,) = (
            home.histories.at(lead_id, as_of),
            home.histories.at_many([lead_id], as_of)[0],
            home.histories.at_each(lead_id, [as_of]),
        )
        assert alone == many
        assert alone is not None
        assert repr(build(alone)) == repr(build(each))
    early = home.histories.at(lead_id, NOON - timedelta(days=5))
    assert early is not None
    assert (build(early)["title_seniority"], build(early)["area_price_trend"]) == (1, -0.1)


def test_the_nearest_place_speaks_and_other_places_do_not(home: House) -> None:
    lead_id = make(home, 1, email="a@acme.example", country="Germany", industry="Software")
    other = make(home, 2, email="b@gmail.com", country="France")
    tell(
        home,
        FeedValue("intent", "domain", "ACME.example", NOON - timedelta(days=2), 0.8),
        FeedValue("intent", "domain", "gmail.com", NOON - timedelta(days=2), 0.9),  # nobody's company
        FeedValue("area_development", "country", "germany", NOON - timedelta(days=2), 5.0),
        FeedValue("area_development", "everywhere", "", NOON - timedelta(days=2), 1.0),
    )
    first, second = (build(one) for one in home.histories.at_many([lead_id, other], NOON))
    assert (first["third_party_intent"], first["area_development"]) == (0.8, 5.0)
    assert (second["third_party_intent"], second["area_development"]) == (None, 1.0)


def test_a_value_told_again_replaces_the_one_before(home: House) -> None:
    tell(home, prices("area", "Leeds", 4, 120.0), prices("area", "Leeds", 4, 130.0))
    tell(home, prices("area", "Leeds", 4, 140.0))
    (signals,) = home.signals.of([({"city": "Leeds"}, NOON)])
    assert [(signal.scope, signal.value) for signal in signals] == [("area", 140.0)]


def test_no_company_is_named_in_the_table_and_no_unknown_scope_is_taken(home: House) -> None:
    tell(home, FeedValue("intent", "domain", "acme.example", NOON, 0.8))
    (place,) = home.db.run("SELECT place FROM feed_signal").fetchone()
    assert "acme" not in place
    with pytest.raises(ValueError, match="scope 'planet' is none of"):
        tell(home, FeedValue("intent", "planet", "earth", NOON, 0.8))


def test_the_newest_thousand_acts_are_looked_at_on_every_way(home: House) -> None:
    lead_id = make(home, 1, acts=0)
    replied = EngagementKind.EMAIL_REPLIED  # of which no number is a machine's
    many = [EngagementEvent(f"m{place}", replied, NOON - timedelta(seconds=place // 2)) for place in range(MOST_ACTS + 101)]
    with home.db.transaction():
        home.leads.add_engagements("crm", many, lead_id, live=True)
    alone = home.histories.at(lead_id, NOON)
    assert alone is not None
    assert MOST_ACTS <= len(alone.engagements) <= MOST_ACTS + 1  # two acts of the oldest moment
    features = build(alone)
    assert features["replies_30d"] == MOST_ACTS
    assert repr(build(home.histories.at_many([lead_id], NOON)[0])) == repr(features)
    assert repr(build(home.histories.at_each(lead_id, [NOON])[0])) == repr(features)
