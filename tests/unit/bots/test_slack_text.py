"""Other people's words in Slack: escaped, unformatted, within limits."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.text import fit, lasting, one_line, say, when, width

ENTITY = re.compile(r"&(amp|lt|gt);")
WORDS = st.one_of(
    st.text(max_size=400),
    st.text(alphabet="<>&*_~`@:! \n\u202eאבגابج😀👨\u200d👩\u200d👧", max_size=400),
    st.text(min_size=1, max_size=8).map(lambda part: part * 2000),
)


@given(WORDS, st.sampled_from([20, 75, 150, 3000]))
def test_nothing_is_longer_than_its_limit_and_no_entity_is_cut(text: str, limit: int) -> None:
    for shown in (fit(text, limit), say(text, limit)):
        assert width(shown) <= limit
        assert not re.search(r"[<>]", shown)
        assert "&" not in ENTITY.sub("", shown)
        assert "\n" not in shown
        shown.encode()  # no lone surrogate is left


@given(WORDS)
def test_no_mark_of_mrkdwn_survives(text: str) -> None:
    shown = say(text, 500)
    assert not re.search(r"[*_~`]", shown)
    assert not re.search(r"@(channel|here|everyone)\b", shown, re.IGNORECASE)
    assert not re.search(r"(?<![\w∶]):[a-z0-9_+'-]+:", shown, re.IGNORECASE)


def test_links_mentions_and_formats_of_a_lead_are_only_words() -> None:
    assert say("<!channel> *bold* <https://evil.example|free> :tada:", 200) == (
        "&lt;!channel&gt; ∗bold∗ &lt;https://evil.example|free&gt; ∶tada:"
    )


def test_a_right_to_left_name_is_isolated_and_overrides_are_removed() -> None:
    assert fit("שלום", 40) == "\u2068שלום\u2069"
    assert one_line("abc\u202egnp.exe\u0000") == "abcgnp.exe"


def test_a_cut_shows_as_an_ellipsis() -> None:
    assert fit("x" * 10_000, 10) == "x" * 9 + "…"
    assert fit("x" * 10, 10) == "x" * 10
    assert fit("&" * 10, 12) == "&amp;&amp;…"


def test_joined_emoji_are_not_left_dangling() -> None:
    assert not fit("👨\u200d👩\u200d👧" * 20, 20).rstrip("…").endswith("\u200d")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (45.4, "45s"), (130, "2m10s"), (120, "2m"), (3600, "1h"), (11_100, "3h5m"), (187_200, "2d4h"), (-5, "0s")],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_a_moment_is_a_date_token_with_a_fallback() -> None:
    assert when(datetime(2026, 11, 21, 15, 0, tzinfo=UTC)) == (
        "<!date^1795273200^{date_short_pretty} at {time}|21 Nov 2026 15:00 UTC>"
    )
