"""Reading the steps of a playbook. Branches are laid out flat, so that a run is one position in one list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from allocation.policy_tables import Table, did_you_mean
from connector.playbooks.plan import Do, Step
from connector.playbooks.reading_conditions import read_conditions
from connector.playbooks.spans import read_span
from connector.playbooks.texts import ANYTHING, IMPERSONAL, places
from leads.enums import LifecycleStage
from leads.fields import CANONICAL

if TYPE_CHECKING:
    from connector.playbooks.reading import Known

#: Branches within branches, and steps in all.
DEEPEST: Final = 5
MOST: Final = 200
PRIORITIES: Final = ("high", "medium", "low")
#: Whom an alert may go to beside a channel written `#name`.
ALERTED: Final = ("rep", "manager", "channel")
ADDRESSED: Final = ("lead", "rep")


def read_steps(table: Table, known: Known) -> tuple[Step, ...]:
    """All steps of a playbook."""
    steps: list[Step] = []
    _lay_out(table, "steps", known, steps, 0)
    if len(steps) > MOST:
        table.wrong("steps", f"a playbook has at most {MOST} steps")
    return tuple(steps)


def _lay_out(table: Table, key: str, known: Known, steps: list[Step], depth: int) -> None:
    for row in table.rows(key):
        do = row.choice("do", Do)
        if do is None:
            if "do" not in row.values:
                row.wrong("do", f"a step must say what to do; known: {', '.join(Do)}")
            continue
        if do is Do.BRANCH:
            _branch(row, known, steps, depth)
        else:
            steps.append(Step(do, READERS[do](row, known)))
        row.done()


def _branch(row: Table, known: Known, steps: list[Step], depth: int) -> None:
    """test, then …, jump, else …: a failed test goes to the first step of else, the jump past its last."""
    if depth >= DEEPEST:
        row.wrong("do", f"branches go at most {DEEPEST} deep")
        return
    if not row.values.get("if"):
        row.wrong("if", "a branch needs an if")
    if not row.values.get("then") and not row.values.get("else"):
        row.wrong("then", "a branch needs steps in then or in else")
    test, at = read_conditions(row.table("if"), known), len(steps)
    steps.append(Step(Do.BRANCH))
    _lay_out(row, "then", known, steps, depth + 1)
    jump = len(steps)
    steps.append(Step(None))
    steps[at] = Step(Do.BRANCH, test=test, other=len(steps))
    _lay_out(row, "else", known, steps, depth + 1)
    steps[jump] = Step(None, other=len(steps))


def _text(row: Table, key: str, allowed: Collection[str], default: str | None = None) -> str:
    """A text whose places are facts that it may hold."""
    text = row.text(key)
    if text is None:
        if default is None and key not in row.values:
            row.wrong(key, f"this step needs {key}")
        return default or ""
    try:
        named = places(text)
    except ValueError as error:
        row.wrong(key, f"{key}: {error}")
        return text
    for name in named:
        if name not in allowed:
            personal = name in ANYTHING
            why = " names the person, which others may read there" if personal else f" is not a fact{did_you_mean(name, allowed)}"
            row.wrong(key, f'{key}: "{{{name}}}"{why}')
    return text


def _minutes(row: Table, key: str, default: str | None) -> float:
    if key not in row.values and default is None:
        row.wrong(key, f'this step needs {key}, such as "2h"')
    span = row.read(key, read_span) if key in row.values else read_span(default or "1m")
    return span.total_seconds() / 60 if span else 0.0


def _one_of(row: Table, key: str, options: Collection[str], default: str | None = None) -> str:
    word = row.text(key)
    if word is None:
        if default is None and key not in row.values:
            row.wrong(key, f"this step needs {key}; known: {', '.join(sorted(options))}")
        return default or ""
    if word not in options:
        row.wrong(key, f'"{word}" is not known in {key}{did_you_mean(word, options)}')
    return word


def _task(row: Table, known: Known) -> Mapping[str, Any]:
    return {
        "subject": _text(row, "subject", IMPERSONAL),
        "text": _text(row, "text", IMPERSONAL, ""),
        "due_minutes": _minutes(row, "due", "1d"),
        "priority": _one_of(row, "priority", PRIORITIES, "medium"),
    }


def _note(row: Table, known: Known) -> Mapping[str, Any]:
    return {"text": _text(row, "text", IMPERSONAL)}


def _deal(row: Table, known: Known) -> Mapping[str, Any]:
    amount, currency = row.number("amount"), row.text("currency")
    if currency is not None and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        row.wrong("currency", f'"{currency}" is not a currency; write an ISO 4217 code such as "EUR"')
    told = {"title": _text(row, "title", IMPERSONAL), "currency": currency}
    return told | ({"amount": f"{amount:.2f}"} if amount is not None else {})


def _stage(row: Table, known: Known) -> Mapping[str, Any]:
    return {"stage": _one_of(row, "to", [stage.value for stage in LifecycleStage if stage is not LifecycleStage.UNKNOWN])}


def _enrol(row: Table, known: Known) -> Mapping[str, Any]:
    tool, sequence = row.text("connection"), row.text("sequence")
    for key, value in (("connection", tool), ("sequence", sequence)):
        if value is None and key not in row.values:
            row.wrong(key, f"this step needs {key}")
    if tool and known.tools is not None and tool not in known.tools:
        row.wrong("connection", f'"{tool}" is no connection that people can be enrolled in{did_you_mean(tool, known.tools)}')
    return {"connection": tool or "", "sequence": sequence or ""}


def _alert(row: Table, known: Known) -> Mapping[str, Any]:
    to = row.text("to") or "rep"
    if to not in ALERTED and not (to.startswith("#") and len(to) > 1):
        row.wrong("to", f'"{to}" is nobody to alert; write {", ".join(ALERTED)} or a channel such as "#leads"')
    return {"to": to, "text": _text(row, "text", IMPERSONAL)}


def _wait(row: Table, known: Known) -> Mapping[str, Any]:
    business = row.flag("business")
    return {"minutes": _minutes(row, "for", None), "business": business is not False}


def _webhook(row: Table, known: Known) -> Mapping[str, Any]:
    to, facts = row.text("to"), row.words("facts", CANONICAL) or ()
    if to is None and "to" not in row.values:
        row.wrong("to", "this step needs to: the name of a table [webhooks.NAME] of the configuration")
    if to and known.webhooks is not None and to not in known.webhooks:
        row.wrong("to", f"there is no [webhooks.{to}] in the configuration{did_you_mean(to, known.webhooks)}")
    return {"to": to or "", "facts": list(facts)}


def _email(row: Table, known: Known) -> Mapping[str, Any]:
    if known.email is False:
        row.wrong("do", "there is no [smtp] in the configuration")
    to = _one_of(row, "to", ADDRESSED, "lead")
    return {"to": to, "subject": _text(row, "subject", ANYTHING), "text": _text(row, "text", ANYTHING)}


READERS: Final[Mapping[Do, Callable[[Table, Any], Mapping[str, Any]]]] = {
    Do.TASK: _task,
    Do.NOTE: _note,
    Do.DEAL: _deal,
    Do.STAGE: _stage,
    Do.ENROL: _enrol,
    Do.ALERT: _alert,
    Do.WAIT: _wait,
    Do.WEBHOOK: _webhook,
    Do.EMAIL: _email,
}
