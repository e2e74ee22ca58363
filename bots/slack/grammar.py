"""What a person types after the slash command, read into a request. Pure text work; nothing is looked up here.

LEAD is a name, an e-mail address, a link to the CRM record or an id; REP a mention, an e-mail address or a name. `--share` at the
end shows the answer to everybody in the channel.
"""

from __future__ import annotations

import difflib
import html
import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

Verb = Literal[
    "show", "why", "reassign", "claim", "pause", "resume", "pto", "caps", "pool", "queue",
    "simulate", "replay", "rules", "model", "health", "undo", "help",
]  # fmt: skip
VERBS: Final[tuple[Verb, ...]] = get_args(Verb)
#: Verbs that are about one lead.
OF_A_LEAD: Final = frozenset({"show", "why", "reassign", "claim"})

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
    "take": "claim",
    "grab": "claim",
    "away": "pause",
    "break": "pause",
    "back": "resume",
    "unpause": "resume",
    "vacation": "pto",
    "holiday": "pto",
    "leave": "pto",
    "absent": "pto",
    "cap": "caps",
    "capacity": "caps",
    "limit": "caps",
    "limits": "caps",
    "unassigned": "pool",
    "waiting": "pool",
    "mine": "queue",
    "list": "queue",
    "policy": "rules",
    "status": "health",
    "revert": "undo",
    "?": "help",
    "usage": "help",
    "commands": "help",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `query` names the lead (of a bulk, or of a verb about reps: the rep; else what is asked for), `to` the rep it
    goes to (a Slack user id as `@U123`, an e-mail address or a name), `when` a moment or span in words."""

    verb: Verb
    query: str = ""
    to: str = ""
    reason: str = ""
    when: str = ""
    shared: bool = False
    bulk: bool = False


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
_BECAUSE = re.compile(r"(?:^|\s+)(?:because|reason:?|since)\s+", re.IGNORECASE)
_WHEN = re.compile(r"(?:^|\s+)(?=(?:until|till|for|from|on)\s)", re.IGNORECASE)
_ALL_OF = re.compile(r"(?:all|everything)(?:\s+leads)?(?:\s+(?:of|from))?\s+(.+)", re.IGNORECASE)
_LEADLIKE = re.compile(r"#?\d+|\S+@\S+\.\S+|https?://\S+")
_SHARE = re.compile(r"(?:^|\s)--share$", re.IGNORECASE)
_NAME_NUMBER = re.compile(r"(.*\D)\s+(\d{1,5})")
_REPLIKE = re.compile(r"(@[A-Z0-9]{5,}|\S+@\S+\.\S+)(?:\s+(.*))?")


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
        return Unknown(first[:40], _probably(word))
    shared = bool(_SHARE.search(rest))
    if shared:
        rest = _SHARE.sub("", rest)
    if verb == "reassign":
        return _reassign(rest)
    if verb in ("pause", "resume", "pto"):
        return _of_rep(verb, rest)
    if verb == "caps":
        rep, numbers = _rep_and_rest(rest)
        named = None if rep else _NAME_NUMBER.fullmatch(numbers)
        return Call(verb, named[1], when=named[2]) if named else Call(verb, rep, when=numbers)
    return Call(verb, rest.lstrip("#"), shared=shared)


def _probably(word: str) -> Verb | None:
    """The command that was probably meant by a word that is none."""
    close = difflib.get_close_matches(word, [*VERBS, *SYNONYMS], n=1, cutoff=0.6)
    meant = close[0] if close else None
    return next((known for known in VERBS if known == meant), SYNONYMS.get(meant or ""))


def _reassign(rest: str) -> Call:
    """LEAD [to REP] [because REASON], or all of REP to REP. The last "to" counts: names such as "Back to Basics" hold one too."""
    rest, because, reason = _cut(rest, _BECAUSE, last=False)
    lead, to, rep = _cut(rest, _TO, last=True)
    every = _ALL_OF.fullmatch(lead)
    if every and to:
        return Call("reassign", every.group(1), rep, reason, bulk=True)
    if not to and not because:
        mention = re.fullmatch(r"(.+?)\s+(@[A-Z0-9]{5,})", lead)
        if mention:
            lead, rep = mention.group(1), mention.group(2)
    return Call("reassign", lead.lstrip("#"), rep, reason)


def _of_rep(verb: Verb, rest: str) -> Call:
    """[REP] [WHEN] [because REASON]. A mention or an e-mail address in front is the rep, and so is what stands before "until",
    "for", "from" or "on"; else everything is the moment."""
    rest, _, reason = _cut(rest, _BECAUSE, last=False)
    rep, when = _rep_and_rest(rest)
    if rep:
        return Call(verb, rep, reason=reason, when=when)
    mark = _WHEN.search(rest)
    if mark and not re.match(r"\d", rest):
        return Call(verb, rest[: mark.start()].strip(), reason=reason, when=rest[mark.end() :].strip())
    return Call(verb, "", reason=reason, when=rest)


def _rep_and_rest(text: str) -> tuple[str, str]:
    """A mention or an e-mail address in front, and what follows it."""
    match = _REPLIKE.fullmatch(text)
    return (match[1], match[2] or "") if match else ("", text)


def _cut(text: str, mark: re.Pattern[str], *, last: bool) -> tuple[str, bool, str]:
    """The text before the mark, whether it was there, and the text after it."""
    found = list(mark.finditer(text))
    if not found:
        return text.strip(), False, ""
    match = found[-1 if last else 0]
    return text[: match.start()].strip(), True, text[match.end() :].strip()


#: Each command: how it is written, what it does, an example.
HELP: Final[dict[Verb, tuple[str, str, str]]] = {
    "show": ("show LEAD", "the lead's card, with its buttons", "show jane@example.com"),
    "why": ("why LEAD", "why it has its score, why it went to its rep, and why not to you", "why 1042"),
    "reassign": (
        "reassign LEAD [to REP] [because REASON]",
        "another rep; without REP a form opens (managers); `reassign all of REP to REP` moves all of them",
        "reassign 1042 to sam@example.com because on holiday",
    ),
    "claim": ("claim LEAD", "take a lead that nobody holds", "claim 1042"),
    "pool": ("pool", "the leads that nobody holds", "pool"),
    "queue": ("queue [REP]", "your open leads, or those of a rep", "queue"),
    "pause": ("pause [REP] [until WHEN]", "no new leads for a while", "pause until Monday"),
    "resume": ("resume [REP]", "new leads again", "resume"),
    "pto": ("pto [REP] [DAYS]", "days off; without DAYS a form opens; `pto clear` forgets them", "pto 24 Dec to 2 Jan"),
    "caps": ("caps [REP] [NUMBER]", "how many leads you hold and may hold; managers set it", "caps sam@example.com 20"),
    "rules": ("rules", "the allocation policy in force", "rules"),
    "simulate": (
        "simulate [DAYS] [with POLICY]",
        "the last days' leads made again by the policy in force, or by a published one, by name or version (managers)",
        "simulate 7 with Quarter four",
    ),
    "replay": ("replay LEAD or DECISION", "make a past decision again from its record (managers)", "replay 17"),
    "model": ("model", "the scoring model and how well it does", "model"),
    "health": ("health", "what waits, what failed (admins)", "health"),
    "undo": ("undo", "take back what you did last", "undo"),
    "help": ("help [COMMAND]", "this list", "help pause"),
}


def usage(command: str, verb: str = "") -> str:
    """Help in mrkdwn for one command or, with no or an unmet verb, for all of them."""
    wanted = [HELP[known] for known in VERBS if known == verb] or list(HELP.values())
    lines = [f"• `{command} {written}` {does}" for written, does, _ in wanted]
    lines.append(
        "LEAD is a name, an e-mail address, a link to the CRM record or an id; REP a mention, an e-mail address or a name. "
        "Only you see the answers, unless you write `--share` at the end."
    )
    examples = ", ".join(f"`{command} {example}`" for _, _, example in (wanted if len(wanted) == 1 else wanted[:3]))
    return "\n".join([*lines, f"For example: {examples}"])
