"""The modals. What a form brings back in `private_metadata` is where to answer and what it is about, never a permission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bots.slack import names
from bots.slack.blocks import MAX_BUTTON, Block, context, options, plain_text, section
from bots.slack.text import fit, say

if TYPE_CHECKING:
    from connector.commands import Candidate, CardState

#: Slack: 100 options, or 100 groups of 100.
GROUP: Final = 100
MOST_REPS: Final = GROUP * GROUP


def pass_form(card: CardState, private: str) -> Block:
    """The form behind Pass: a reason is required, words are not."""
    return _form(
        names.PASS_ON_FORM,
        "Pass this lead on",
        "Pass",
        private,
        [
            section(f"*{say(card.name, 150)}* goes to the next rep who fits."),
            _input(names.REASON, "Why?", _select(names.REASON, names.PASS_REASONS)),
            _input(names.NOTE, "Anything to add?", _words(), optional=True),
        ],
    )


def outcome_form(card: CardState, private: str) -> Block:
    """The form behind Log outcome."""
    return _form(
        names.OUTCOME_FORM,
        "Log outcome",
        "Save",
        private,
        [
            section(f"What came of *{say(card.name, 150)}*? It is written to the CRM too."),
            _input(names.REASON, "Outcome", _radio(names.REASON, names.OUTCOMES)),
            _input(names.NOTE, "Anything to add?", _words(), optional=True),
        ],
    )


def wrong_form(card: CardState, private: str) -> Block:
    """The form behind Wrong score: what it brings is a label for training."""
    score = "not scored" if card.score is None else f"scored {card.score}"
    return _form(
        names.WRONG_FORM,
        "Wrong score",
        "Send",
        private,
        [
            section(f"*{say(card.name, 150)}* is {score}. What is wrong with that? The next training learns from it."),
            _input(names.REASON, "The score is", _radio(names.REASON, names.CORRECTIONS)),
            _input(names.NOTE, "Why?", _words(), optional=True),
        ],
    )


def reassign_form(card: CardState, reps: Sequence[Candidate], private: str, chosen: str = "") -> Block:
    """The form behind Reassign: reps to search among, each with load, cap and what stands against them. `chosen` is warned of."""
    known = [one for one in reps if len(one.rep_id) <= 150][:MOST_REPS]
    select: Block = {
        "type": "static_select",
        "action_id": names.REP,
        **_offered([one.name for one in known], [_candidate(one) for one in known]),
    }
    now = f", now with *{say(card.owner_name, 120)}*" if card.owner_name else ""
    warned = next((one for one in known if one.rep_id == chosen and one.against), None)
    credit = {"text": plain_text("Give the rep who has it now their turn back"), "value": names.CREDIT}
    credit_box = {"type": "checkboxes", "action_id": names.CREDIT, "options": [credit], "initial_options": [credit]}
    asked = [
        _input(names.CAUSE, "What was wrong with the choice?", _select(names.CAUSE, names.OVERRIDE_CAUSES)),
        _input(names.NOTE, "Why?", _words()),
        _input(names.CREDIT, "Turn", credit_box, optional=True),
    ]
    return _form(
        names.REASSIGN_FORM,
        "Reassign this lead",
        "Reassign",
        private,
        [
            section(f"*{say(card.name, 150)}*{now}"),
            {**_input(names.REP, "To whom?", select), "dispatch_action": True},
            *([context(f"⚠ {say(warned.name, 120)}: {say(warned.against, 300)}. You can still choose them.")] if warned else []),
            *(asked if card.owner_id is not None else asked[1:2]),
        ],
    )


def _offered(people: Sequence[str], choices: Sequence[Block]) -> Block:
    """Choices by name, in groups when they are many."""
    starts = range(0, len(choices), GROUP)
    if len(starts) <= 1:
        return {"options": list(choices)}
    return {
        "option_groups": [
            {
                "label": plain_text(f"{fit(people[start], 30)} to {fit(people[min(start + GROUP, len(people)) - 1], 30)}"),
                "options": list(choices[start : start + GROUP]),
            }
            for start in starts
        ]
    }


def _candidate(rep: Candidate) -> Block:
    cap = "" if rep.cap is None else f" of {rep.cap}"
    option: Block = {"text": plain_text(f"{fit(rep.name, 50) or '?'} · {rep.open_leads}{cap} open"), "value": rep.rep_id}
    return {**option, "description": plain_text(fit(f"⚠ {rep.against}", MAX_BUTTON))} if rep.against else option


def pto_form(name: str, private: str) -> Block:
    """Days off for a rep: two dates, the last day included."""
    return _form(
        names.PTO_FORM,
        "Days off",
        "Save",
        private,
        [
            section(f"*{say(name, 150)}* gets no new leads on these days."),
            _input(names.FIRST_DAY, "First day", {"type": "datepicker", "action_id": names.FIRST_DAY}),
            _input(names.LAST_DAY, "Last day", {"type": "datepicker", "action_id": names.LAST_DAY}),
        ],
    )


#: The caps a manager sets, as named in a rep's settings, and how they are asked for.
CAPS: Final[Mapping[str, str]] = {
    "capacity": "Open leads at once",
    "per_hour": "New leads an hour",
    "per_day": "New leads a day",
    "per_week": "New leads a week",
}


def caps_form(name: str, now: Mapping[str, Any], private: str) -> Block:
    """A rep's caps: empty takes a cap back, so that the policy's holds."""
    asked = [section(f"How many leads may *{say(name, 150)}* have? Empty: as the policy says.")]
    for cap, label in CAPS.items():
        field: Block = {"type": "number_input", "action_id": cap, "is_decimal_allowed": False, "min_value": "0"}
        if now.get(cap) is not None:
            field["initial_value"] = str(now[cap])
        asked.append(_input(cap, label, field, optional=True))
    return _form(names.CAPS_FORM, "Caps", "Save", private, asked)


def link_form(reps: Sequence[tuple[str, str]], private: str) -> Block:
    """Somebody whom we cannot find says who they are in the CRM; an admin has to agree. `reps` are (id, name)."""
    known = reps[:MOST_REPS]
    select: Block = {"type": "static_select", "action_id": names.REP, **_offered([name for _, name in known], options(known))}
    return _form(
        names.LINK_FORM,
        "Link me to the CRM",
        "Ask",
        private,
        [section("An admin is asked to confirm it."), _input(names.REP, "Who are you in the CRM?", select)],
    )


def _form(callback: str, title: str, submit: str, private: str, blocks: list[Block]) -> Block:
    """A modal; title and button have 24 characters at most."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": private,
        "title": plain_text(title),
        "submit": plain_text(submit),
        "close": plain_text("Cancel"),
        "blocks": blocks,
    }


def _input(block: str, label: str, element: Block, *, optional: bool = False) -> Block:
    return {"type": "input", "block_id": block, "label": plain_text(label), "element": element, "optional": optional}


def _select(action: str, words: Mapping[str, str]) -> Block:
    return {"type": "static_select", "action_id": action, "options": options(list(words.items()))}


def _radio(action: str, words: Mapping[str, str]) -> Block:
    return {"type": "radio_buttons", "action_id": action, "options": options(list(words.items()))}


def _words() -> Block:
    return {"type": "plain_text_input", "action_id": names.NOTE, "max_length": 300}
