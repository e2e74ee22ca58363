"""What a person types after the slash command, read into a request. Pure text work; nothing is looked up here.

    show LEAD · why LEAD · reassign LEAD [to REP] [because REASON] · help [COMMAND]

LEAD is a name, an e-mail address, a link to the CRM record or an id.
"""

from __future__ import annotations

import difflib
import html
import re
from dataclasses import dataclass
from typing import Final, Literal

Verb = Literal["show", "why", "reassign", "help"]

VERBS: Final[tuple[Verb, ...]] = ("show", "why", "reassign", "help")
#: Words people type for the same thing.
SYNONYMS: Final[dict[str, Verb]] = {
    "lead": "show",
    "find": "show",
    "search": "show",
    "get": "show",
    "view": "show",
    "explain": "why",
    "reason": "why",
    "assign": "reassign",
    "move": "reassign",
    "give": "reassign",
    "transfer": "reassign",
    "?": "help",
    "usage": "help",
    "commands": "help",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `query` names the lead; `to` the rep (a Slack user id as `@U123`, an e-mail address or a name)."""

    verb: Verb
    query: str = ""
    to: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A first word that is no command, and the one that was probably meant."""

    word: str
    suggestion: Verb | None


# Slack's own markup when the command has "escape channels, users and links" on: <@U1|name>, <mailto:a@b|a@b>, <https://…|…>.
_USER = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")
_MAIL = re.compile(r"<mailto:([^|>]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<(https?://[^|>]+)(?:\|[^>]*)?>")
_TO = re.compile(r"\s+(?:to|->|→)\s+", re.IGNORECASE)
_BECAUSE = re.compile(r"\s+(?:because|reason:?|since)\s+", re.IGNORECASE)
_LEADLIKE = re.compile(r"#?\d+|\S+@\S+\.\S+|https?://\S+")


def plain(text: str) -> str:
    """The text without Slack's link markup, HTML escapes, quotation marks, doubled spaces and a link's last slash."""
    text = _USER.sub(r"@\1", text)
    text = _MAIL.sub(r"\1", text)
    text = _LINK.sub(r"\1", text)
    text = html.unescape(text)
    text = re.sub(r'["“”„«»]', " ", text)
    text = re.sub(r"(https?://\S*?)/+(?=\s|$)", r"\1", text)
    return " ".join(text.split())


def parse(text: str) -> Call | Unknown:
    """Read the text after the command. Nothing typed is `help`; a bare id, e-mail address or link is `show`."""
    words = plain(text)
    first, _, rest = words.partition(" ")
    word = first.lower()
    if not word:
        return Call("help")
    verb = next((known for known in VERBS if known == word), SYNONYMS.get(word))
    if verb is None:
        if _LEADLIKE.fullmatch(words):
            return Call("show", words.lstrip("#"))
        close = difflib.get_close_matches(word, [*VERBS, *SYNONYMS], n=1, cutoff=0.6)
        meant = close[0] if close else None
        return Unknown(first[:40], next((known for known in VERBS if known == meant), SYNONYMS.get(meant or "")))
    if verb == "reassign":
        return _reassign(rest)
    return Call(verb, rest.lstrip("#"))


def _reassign(rest: str) -> Call:
    """LEAD [to REP] [because REASON]. The last "to" counts: names such as "Back to Basics" hold one too."""
    rest, because, reason = _cut(rest, _BECAUSE, last=False)
    lead, to, rep = _cut(rest, _TO, last=True)
    if not to and not because:
        mention = re.fullmatch(r"(.+?)\s+(@[A-Z0-9]{5,})", lead)
        if mention:
            lead, rep = mention.group(1), mention.group(2)
    return Call("reassign", lead.lstrip("#"), rep, reason)


def _cut(text: str, mark: re.Pattern[str], *, last: bool) -> tuple[str, bool, str]:
    """The text before the mark, whether it was there, and the text after it."""
    found = list(mark.finditer(text))
    if not found:
        return text.strip(), False, ""
    match = found[-1 if last else 0]
    return text[: match.start()].strip(), True, text[match.end() :].strip()


def usage(command: str, verb: str = "") -> str:
    """Help in mrkdwn for one command or, with no or an unmet verb, for all of them."""
    lines = {
        "show": f"`{command} show LEAD` shows the lead's card, with its buttons",
        "why": f"`{command} why LEAD` says why the lead has its score and why it went to its rep",
        "reassign": f"`{command} reassign LEAD [to REP] [because REASON]` gives the lead to another rep; without REP a form opens",
        "help": f"`{command} help` shows this",
    }
    wanted = [lines[verb]] if verb in lines else list(lines.values())
    examples = {
        "show": f"`{command} show jane@example.com`",
        "why": f"`{command} why 1042`",
        "reassign": f"`{command} reassign 1042 to sam@example.com because on holiday`",
    }
    shown = [examples[verb]] if verb in examples else list(examples.values())
    return "\n".join(
        [
            *(f"• {line}" for line in wanted),
            "LEAD is a name, an e-mail address, a link to the CRM record or an id. Only you see the answers.",
            "For example: " + ", ".join(shown),
        ]
    )
