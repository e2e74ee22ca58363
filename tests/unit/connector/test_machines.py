"""Machines told apart from people, on a planted set and case by case."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.bootstrap import House
from connector.machines import Act, is_machine, untimely
from connector.pipeline import noise
from connector.testing import house as build_house
from leads.enums import ChangeKind, EngagementKind
from leads.records import EngagementEvent, LeadChange

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DELIVERED, OPENED, CLICKED = EngagementKind.EMAIL_DELIVERED, EngagementKind.EMAIL_OPENED, EngagementKind.EMAIL_CLICKED
#: What people's mail programs and browsers say of themselves; Gmail's and Yahoo's proxies fetch when a person looks.
PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/4.0 (compatible; ms-office; MSOffice rmj)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0",
    "",
)
#: What scanners, previews and scripts say of themselves.
PROGRAMS = (
    "Mozilla/5.0",
    "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (compatible; Proofpoint URL Defense)",
    "Mimecast-LinkScan/2.1",
    "python-requests/2.32.3",
    "Go-http-client/2.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/129.0.0.0 Safari/537.36",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1",
    "Mozilla/5.0 (compatible; bingbot/2.0)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Microsoft Office Existence Discovery",
)
SCANNERS = (
    "40.94.31.7",
    "104.47.11.240",
    "52.101.7.3",
    "64.235.150.9",
    "209.222.82.1",
    "67.231.152.8",
    "205.139.110.61",
    "17.58.98.1",
)


def planted(rng: random.Random) -> Iterator[tuple[bool, list[tuple[EngagementKind, timedelta, str, str, str]]]]:
    """(by a machine, acts on one message) as (kind, after delivery, user agent, address, link). Three in a hundred of the machines
    imitate people in everything that can be seen."""
    for _ in range(2_000):
        agent, address = rng.choice(PEOPLE), f"203.0.113.{rng.randrange(256)}"
        opened = timedelta(seconds=rng.lognormvariate(8, 2) + 3)
        acts = [(OPENED, opened, agent, address, "")]
        moment = opened + timedelta(seconds=rng.lognormvariate(2.5, 0.8) + 3)
        for link in rng.sample("abcde", rng.choice((0, 1, 1, 2, 3))):
            acts.append((CLICKED, moment, agent, address, link))
            moment += timedelta(seconds=rng.lognormvariate(2, 0.8) + 1)
        yield False, acts
    for number in range(1_000):
        browser, address = rng.choice(PEOPLE[:3]), f"198.51.100.{rng.randrange(256)}"
        late = timedelta(seconds=rng.lognormvariate(6, 2) + 10)
        kinds = [
            [(OPENED, late, "Mozilla/5.0", f"17.{rng.randrange(256)}.7.7", "")],  # Apple's prefetch
            [(OPENED, late, "Mozilla/5.0", f"104.28.{rng.randrange(256)}.9", "")],  # the same, over a partner's network
            [(rng.choice((OPENED, CLICKED)), late, rng.choice(PROGRAMS), address, "a")],
            [(CLICKED, late, browser, rng.choice(SCANNERS), "a")],
            [(CLICKED, timedelta(seconds=rng.uniform(0, 4.5)), browser, address, "a")],  # a scanner before the inbox
            [(CLICKED, late + timedelta(seconds=rng.uniform(0, 2.5)), browser, address, link) for link in "abcd"],
        ]
        yield True, [(CLICKED, late, browser, address, "a")] if number % 100 < 3 else kinds[number % 6]


def told_apart(acts: list[tuple[EngagementKind, timedelta, str, str, str]]) -> list[bool]:
    timed = [Act(DELIVERED, AT, "m"), *(Act(kind, AT + after, "m", link or None) for kind, after, _, _, link in acts)]
    late = untimely(timed)
    return [is_machine(kind, agent, address) or place + 1 in late for place, (kind, _, agent, address, _) in enumerate(acts)]


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_set(seed: int) -> None:
    """At least 95% of the machines' acts are caught, and at most 1% of the people's."""
    seen: dict[bool, list[bool]] = {True: [], False: []}
    for machine, acts in planted(random.Random(seed)):
        seen[machine] += told_apart(acts)
    caught, wronged = (sum(seen[machine]) / len(seen[machine]) for machine in (True, False))
    assert caught >= 0.95
    assert wronged <= 0.01


@pytest.mark.parametrize("agent", PEOPLE)
def test_people(agent: str) -> None:
    assert not is_machine(OPENED, agent, "203.0.113.9")


@pytest.mark.parametrize("agent", PROGRAMS)
def test_programs(agent: str) -> None:
    assert is_machine(OPENED, agent)
    assert not is_machine(EngagementKind.UNSUBSCRIBED, agent), "a wish is never a machine's"


@pytest.mark.parametrize("address", [*SCANNERS, "::ffff:40.94.31.7"])
def test_scanners_networks(address: str) -> None:
    assert is_machine(CLICKED, PEOPLE[0], address)


@given(st.text(), st.text())
def test_any_text_is_an_answer(agent: str, address: str) -> None:
    assert is_machine(CLICKED, agent, address) in (True, False)
    assert not is_machine(CLICKED, None, address if "." not in address and ":" not in address else "")


def test_timing() -> None:
    acts = [
        Act(CLICKED, AT + timedelta(seconds=1), "m1", "a"),  # the click is heard of before the delivery
        Act(DELIVERED, AT, "m1"),
        Act(CLICKED, AT + timedelta(seconds=9), "m1", "a"),
        Act(OPENED, AT + timedelta(seconds=3), "m1"),
        Act(CLICKED, AT + timedelta(seconds=1), "m2", "a"),  # another message
        Act(CLICKED, AT + timedelta(seconds=1), None, "a"),  # a vendor that names no message
    ]
    assert untimely(acts) == {0}


def test_two_links_at_once_are_a_person_in_a_hurry() -> None:
    burst = [Act(CLICKED, AT + timedelta(seconds=60 + number), "m", link) for number, link in enumerate("abca")]
    assert untimely(burst[:2]) == set()
    assert untimely(burst) == {0, 1, 2, 3}
    assert untimely([Act(CLICKED, AT, "m", "a")] * 5) == set(), "one link again and again"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path, connections={"mail": {"name": "mail", "adapter": "sendgrid"}})
    yield built
    built.close()


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_a_burst_is_marked_in_whatever_order_it_comes_in(house: House, order: tuple[int, ...]) -> None:
    events = [
        EngagementEvent(f"e{number}", CLICKED, AT + timedelta(seconds=after), "ada@example.com",
                        properties={"message_id": "m", "url": link})
        for number, (after, link) in enumerate(((60, "a"), (61, "b"), (62, "c"), (600, "a")))
    ]  # fmt: skip
    with house.db.transaction():
        lead = house.leads.apply(
            "mail", LeadChange("1", "", AT, ChangeKind.CREATED, fields={"email": "ada@example.com"}), live=False
        )
        for number in order:
            judged = noise.judge(house, lead.lead_id, events[number])
            house.leads.add_engagements("mail", [judged], lead.lead_id, live=True)
    history = house.histories.at(lead.lead_id, AT + timedelta(days=1))
    assert history is not None
    assert [act.machine for act in history.engagements] == [True, True, True, False]
