"""Every verb of the command as people type it, well, oddly and wrongly: through signed requests, the inbox and a worker, with the
answer as the workspace shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from connector.sandbox.world.team import team
from leads.enums import Tier
from tests.functional.test_slack_round_trip import MANAGER, OTHER, REP, Desk, desk, house, lead, ports, web, workspace  # noqa: F401
from tests.unit.bots.slack_fakes import add_lead

ADMIN = next(member for member in team() if member.number == 2)

#: A day off that is neither past nor too far away, whenever this runs.
AWAY = datetime.now(UTC).date() + timedelta(days=30)

#: (who, what they type, what the answer or the form says). In this order: each finds what those before it left.
SAID: list[tuple[str, str, str]] = [
    # help, and what is no command
    (REP.slack_id, "", "simulate [DAYS] [with POLICY]"),
    (REP.slack_id, "help pause", "pause [REP] [until WHEN]"),
    (REP.slack_id, "help <!channel>", "show LEAD"),
    (REP.slack_id, "wyh 1", "Did you mean `/lead why`"),
    (REP.slack_id, "\u202e\u0000 ' OR 1=1; --", "I do not know"),
    (REP.slack_id, "x" * 3000, "I do not know"),
    # show
    (REP.slack_id, "show jane@acme.example", "A lead · 92 · "),
    (REP.slack_id, "SHOW Jane  DOE", "A lead · 92 · "),
    (REP.slack_id, "1", "A lead · 92 · "),
    (REP.slack_id, "show 99999999999999999999", "No lead matches"),
    (REP.slack_id, "show", "Which lead?"),
    (REP.slack_id, "show doe", "leads match"),
    (REP.slack_id, "show %' --", "No lead matches"),
    (REP.slack_id, "show *_~`<@U1>", "No lead matches"),
    (REP.slack_id, "show שרה", "שרה"),
    # why
    (REP.slack_id, "why 1", "*You*: chosen"),
    (OTHER.slack_id, "why 1", "*You*: could have had it"),
    (MANAGER.slack_id, "why 1", "*Routing*"),
    (REP.slack_id, "why", "Which lead?"),
    # claim, pool, queue
    (OTHER.slack_id, "claim 1", f"was taken by {REP.name}"),
    (REP.slack_id, "claim 1", "Jane Doe is yours."),
    (MANAGER.slack_id, "claim 1", "Only reps can claim"),
    (REP.slack_id, "pool", "No lead waits"),
    (REP.slack_id, "queue", "2 open leads"),
    (OTHER.slack_id, f"queue {REP.email}", "Only managers and admins"),
    (MANAGER.slack_id, f"queue {REP.email}", "2 open leads"),
    (MANAGER.slack_id, "queue nobody", "No rep is called nobody"),
    (MANAGER.slack_id, "queue", "You are no rep in the CRM"),
    # pause, resume
    (REP.slack_id, "pause until yesterday", "I cannot read that date"),
    (REP.slack_id, "pause until 3pm tomorrow", "You get no new leads until"),
    (REP.slack_id, "resume", "You get new leads again."),
    (REP.slack_id, "resume", "You are not paused."),
    (REP.slack_id, "pause until the cows come home", "I cannot read that date"),
    (OTHER.slack_id, f"pause {REP.email} until Monday", f"Only {REP.name}, a manager or an admin"),
    (MANAGER.slack_id, f"pause {REP.name} for 2 hours because dentist", f"{REP.name} gets no new leads until"),
    (MANAGER.slack_id, f"resume {REP.name}", f"{REP.name} gets new leads again."),
    # pto
    (REP.slack_id, "pto", "Days off"),
    (REP.slack_id, f"pto {AWAY} to {AWAY + timedelta(days=7)}", "You get no new leads from"),
    (REP.slack_id, f"pto {AWAY} to {AWAY - timedelta(days=1)}", "The last day is before the first."),
    (REP.slack_id, "pto clear", "has no days off any more"),
    (REP.slack_id, "pto 31 Feb", "There is no such day."),
    # caps
    (REP.slack_id, "caps", "You hold 2 open leads."),
    (REP.slack_id, "caps 20", "Only managers and admins"),
    (MANAGER.slack_id, f"caps {REP.email} 20", f"{REP.name} may hold 20 open leads."),
    (MANAGER.slack_id, f"caps {REP.email}", "Caps"),
    (MANAGER.slack_id, f"caps {REP.email} -3", "How many leads may"),
    # reassign, undo
    (REP.slack_id, f"reassign 1 to {OTHER.email}", "Only managers and admins can reassign"),
    (MANAGER.slack_id, "reassign 1 to nobody", "No active rep is called nobody"),
    (MANAGER.slack_id, "reassign 1", "Reassign this lead"),
    (MANAGER.slack_id, f"reassign Jane Doe to {OTHER.name} because lives nearby", f"Jane Doe goes to {OTHER.name}."),
    (MANAGER.slack_id, "undo", f"Undone: Jane Doe is {REP.name}'s again."),
    (MANAGER.slack_id, f"reassign all of {REP.email} to {OTHER.email}", "Move all 2 open leads"),
    (MANAGER.slack_id, f"reassign all of {REP.email} to {REP.email}", "nothing to move"),
    # what decides
    (REP.slack_id, "rules", "Everything else → team"),
    (REP.slack_id, "model", "Allocation errors, 7 days"),
    (REP.slack_id, "health", "Only admins"),
    (ADMIN.slack_id, "health", "All is well"),
    (REP.slack_id, "simulate 7", "Only managers"),
    (MANAGER.slack_id, "simulate", "The last 7 days through policy"),
    (MANAGER.slack_id, "simulate 0", "For how many days?"),
    (MANAGER.slack_id, "simulate 7 with nothing", "No published policy is called nothing"),
    (MANAGER.slack_id, "replay jane@acme.example", "It comes out the same"),
    (MANAGER.slack_id, "replay 424242", "No lead matches"),
    (REP.slack_id, "replay 1", "Only managers"),
]


def test_every_verb_well_oddly_and_wrongly(desk: Desk, lead: int) -> None:  # noqa: F811
    slack = desk.house.settings.slack.model_copy(update={"admins": [ADMIN.email]})
    desk.house.settings = desk.house.settings.model_copy(update={"slack": slack})
    add_lead(desk.house, cast(Any, desk.house.clock), "52", "שרה 👩\u200d🚀", "sara@acme.example", Tier.C)
    desk.send()
    channel = next(message["channel"] for message in desk.messages() if message["channel"].startswith("C"))
    wrong = []
    for user, text, expected in SAID:
        told, before = len(desk.messages(user)), desk.form(user)
        desk.act("say", user=user, channel=channel, text=f"/lead {text}")
        desk.work()
        answers, form = desk.messages(user)[told:], desk.form(user)
        said = json.dumps(answers if answers or form == before else form, ensure_ascii=False)
        if expected not in said:
            wrong.append((user, text[:80], expected, said[:600]))
    assert not wrong, "\n".join(map(str, wrong))
    assert desk.house.deadletters.count() == 0
