"""A file of playbooks: the shipped ones hold, and every mistake is told with its line."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from connector.playbooks.plan import STOPS, Do, On
from connector.playbooks.reading import Known, PlaybookError, parse_playbooks, read_stored
from connector.playbooks.spans import read_span
from leads.enums import EngagementKind, Tier

SHIPPED = sorted((Path(__file__).resolve().parents[4] / "docs" / "playbooks").glob("*.toml"))
HEAD = '[playbooks.x]\n[playbooks.x.when]\non = "tier"\nto = ["a"]\n'


def lines(text: str, known: Known | None = None) -> list[str]:
    """What is wrong with it."""
    with pytest.raises(PlaybookError) as caught:
        parse_playbooks(text, "p.toml", known)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_ones_hold(path: Path) -> None:
    known = Known(teams=["sales"], webhooks=[], tools=[], features=[], email=False)
    (playbook,) = parse_playbooks(path.read_text(encoding="utf-8"), path.name, known).by_name.values()
    assert playbook.name == path.stem
    assert playbook.steps


def test_there_are_three_shipped() -> None:
    assert [path.stem for path in SHIPPED] == ["gone-quiet", "hot-inbound", "re-engaged"]


def test_a_playbook_as_it_is_read() -> None:
    text = SHIPPED[1].read_text(encoding="utf-8")
    playbook = parse_playbooks(text).by_name["hot-inbound"]
    assert playbook.when.on is On.ACT
    assert playbook.test.tiers == {Tier.A, Tier.B}
    assert playbook.again == timedelta(days=30)
    assert playbook.quiet == (time(20), time(8))
    assert playbook.stops == STOPS["meeting"] | STOPS["opt_out"]
    assert [step.do for step in playbook.steps] == [
        Do.ALERT, Do.TASK, Do.WAIT, Do.BRANCH, Do.NOTE, None, Do.ALERT, Do.NOTE
    ]  # fmt: skip
    branch, jump = playbook.steps[3], playbook.steps[5]
    assert (branch.other, jump.other) == (6, 8)
    assert read_stored("hot-inbound", playbook.table) == playbook


def test_opting_out_always_stops() -> None:
    playbook = parse_playbooks(HEAD + '[[playbooks.x.steps]]\ndo = "note"\ntext = "t"\n').by_name["x"]
    assert playbook.stops == {EngagementKind.UNSUBSCRIBED, EngagementKind.SPAM_REPORTED}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "there is no playbook"),
        ("x = [", 1, "this is not TOML"),
        (HEAD, 1, "x has no steps"),
        (HEAD.replace("tier", "tear"), 3, 'did you mean "tier"?'),
        (HEAD.replace('["a"]', '["e"]'), 4, '"e" is not known in to'),
        ('[playbooks.x.when]\non = "act"\nkinds = ["email_sent"]\n', 3, "could start itself"),
        ('[playbooks.x.when]\non = "quiet"\n', 1, "needs after"),
        ('[playbooks.x.when]\non = "score"\nabove = 101\n', 3, "from 1 to 100"),
        ('[playbooks.x]\nagain = "2h"\n', 2, "a day or more"),
        ('[playbooks.x]\nquiet_hours = "20"\n', 2, "quiet hours"),
        (HEAD + '[playbooks.x.if]\nfacts = { contry = "DE" }\n', 6, 'did you mean "country"?'),
        (HEAD + "[playbooks.x.if.facts]\nemployees = { min = 9, max = 1 }\n", 6, "min above its max"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "dance"\n', 6, '"dance" is not a do'),
        (HEAD + '[[playbooks.x.steps]]\ntext = "t"\n', 5, "must say what to do"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "note"\ntext = "{first_name}"\n', 7, "names the person"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "note"\ntext = "{contry}"\n', 7, "is not a fact"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "note"\ntext = "{country!r}"\n', 7, "is not a place"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "note"\ntext = "{country"\n', 7, "text:"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "wait"\nfor = "soon"\n', 7, "is not a length of time"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "deal"\ntitle = "t"\ncurrency = "euro"\n', 8, "ISO 4217"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "branch"\n', 5, "a branch needs an if"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "alert"\nto = "boss"\ntext = "t"\n', 7, "nobody to alert"),
        (HEAD + '[[playbooks.x.steps]]\ndo = "note"\ntext = "t"\nwhen = 1\n', 8, '"when" is not a key'),
    ],
)  # fmt: skip
def test_every_mistake_names_its_line(text: str, line: int, said: str) -> None:
    found = lines(text)
    assert any(one.startswith(f"p.toml:{line}:") and said in one for one in found), found


def test_names_are_held_against_what_is_set_up() -> None:
    text = (
        HEAD
        + '[playbooks.x.if]\nteam = "salez"\n'
        + '[[playbooks.x.steps]]\ndo = "webhook"\nto = "hoook"\n'
        + '[[playbooks.x.steps]]\ndo = "enrol"\nconnection = "mial"\nsequence = "s"\n'
        + '[[playbooks.x.steps]]\ndo = "email"\nsubject = "s"\ntext = "t"\n'
    )
    found = lines(text, Known(teams=["sales"], webhooks=["hook"], tools=["mail"], features=[], email=False))
    for said in ('did you mean "sales"?', 'did you mean "hook"?', 'did you mean "mail"?', "there is no [smtp]"):
        assert any(said in one for one in found), found
    parse_playbooks(text)  # names that cannot be looked up are not checked


@pytest.mark.parametrize(("text", "span"), [("90m", timedelta(minutes=90)), ("2h", timedelta(hours=2)), ("4w", timedelta(weeks=4))])
def test_spans(text: str, span: timedelta) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["", "h", "0h", "2 h", "1y", "400d", "-1d", "1.5h"])
def test_no_spans(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        read_span(text)
