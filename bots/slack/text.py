"""Making other people's words safe and short enough for Slack's mrkdwn and plain text.

Slack's limits count characters of what is sent; here a character outside the basic plane counts as two, which is the stricter
reading. https://docs.slack.dev/reference/block-kit and /messaging/formatting-message-text
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

#: The three characters Slack wants escaped. Escaped, no <!channel>, <@user> or <link> can be written by a lead.
ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: Marks of mrkdwn have no escape: each becomes a look-alike that means nothing to Slack.
LOOKALIKES: Final = str.maketrans({"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb"})

#: Zero-width joiner and non-joiner: they hold emoji and some scripts together.
JOINERS: Final = "\u200c\u200d"
#: A text is read up to so many times its limit, since spaces and control characters fall out of it.
LOOK_AHEAD: Final = 4

_EMOJI_CODE = re.compile(r":(?=[a-z0-9_+'-]{1,60}:)", re.IGNORECASE)
_SHOUT = re.compile(r"@(?=channel\b|here\b|everyone\b|group\b)", re.IGNORECASE)


def width(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def one_line(text: object) -> str:
    """The text on one line, without control and direction-changing characters (the joiners inside emoji and words stay)."""
    kept = (" " if c.isspace() else c for c in str(text) if c.isspace() or c in JOINERS or unicodedata.category(c)[0] != "C")
    return " ".join("".join(kept).split())


def fit(text: object, limit: int) -> str:
    """Other people's text as plain text: on one line, escaped, cut with an ellipsis to at most `limit` sent characters.

    A right-to-left text is isolated, so that it does not turn its neighbours around.
    """
    return _fitted(*_start(text, limit), limit)


def say(text: object, limit: int = 120) -> str:
    """Other people's text inside mrkdwn: as `fit`, and with nothing in it that Slack would format, link or notify by."""
    raw, longer = _start(text, limit)
    neutral = _EMOJI_CODE.sub("\u2236", raw.translate(LOOKALIKES))
    return _fitted(_SHOUT.sub("\uff20", neutral), longer, limit)


def _start(text: object, limit: int) -> tuple[str, bool]:
    """As much of a text as is worth looking at, on one line, and whether there is more: bounds the work on a 10,000-character
    name."""
    start = str(text)[: LOOK_AHEAD * limit + 1]
    return one_line(start), len(start) > LOOK_AHEAD * limit


def _fitted(raw: str, longer: bool, limit: int) -> str:
    isolated = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in raw)
    room = limit - (2 if isolated else 0)
    pieces = [ESCAPES.get(character, character) for character in raw]
    if longer or sum(width(piece) for piece in pieces) > room:
        pieces = _cut(pieces, room - 1)
    shown = "".join(pieces)
    return f"\u2068{shown}\u2069" if isolated else shown


def _cut(pieces: list[str], room: int) -> list[str]:
    """As many whole pieces as have room, then an ellipsis; never ends between the halves of a joined emoji."""
    kept: list[str] = []
    used = 0
    for piece in pieces:
        used += width(piece)
        if used > room:
            break
        kept.append(piece)
    while kept and (kept[-1] in JOINERS + " " or unicodedata.combining(kept[-1][0])):
        kept.pop()
    return [*kept, "…"]


def when(moment: datetime, form: str = "{date_short_pretty} at {time}") -> str:
    """A moment as a date token, which Slack shows in the reader's own zone; UTC where it cannot."""
    fallback = moment.astimezone(UTC).strftime("%d %b %Y %H:%M UTC")
    return f"<!date^{int(moment.timestamp())}^{form}|{fallback}>"


def lasting(seconds: float) -> str:
    """A duration as people read it: 45s, 2m10s, 3h5m, 2d4h."""
    whole = max(0, round(seconds))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit}{rest}{smaller}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"
