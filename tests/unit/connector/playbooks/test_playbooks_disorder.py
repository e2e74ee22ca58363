"""Whatever the order in which things are told, and however often: one run for one lead and trigger, and each step once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.playbooks.runs import sweep_playbooks
from connector.ports import NoteWrite
from leads.enums import EngagementKind
from leads.records import EngagementEvent, LeadChange
from tests.unit.connector.pipeline.scripted import CRM, MAIL, act, change, open_desk
from tests.unit.connector.playbooks.conftest import publish

PEOPLE = ("a@one.example", "b@two.example")
KINDS = (EngagementKind.FORM_SUBMITTED, EngagementKind.EMAIL_CLICKED, EngagementKind.MEETING_BOOKED)
BOOK = """
[playbooks.form.when]
on = "act"
kinds = ["form_submitted"]
[[playbooks.form.steps]]
do = "note"
text = "form"

[playbooks.click.when]
on = "act"
kinds = ["email_clicked"]
[[playbooks.click.steps]]
do = "wait"
for = "30m"
business = false
[[playbooks.click.steps]]
do = "note"
text = "click"

[playbooks.scored.when]
on = "score"
above = 1
[[playbooks.scored.steps]]
do = "note"
text = "scored"
"""
#: (person, what they do) in the order in which it is told; a number more than once is the same event again.
TOLD = st.lists(st.integers(0, 5), min_size=1, max_size=12)
PAUSES = st.lists(st.sampled_from([0, 60, 2_000]), min_size=12, max_size=12)


@settings(max_examples=25)
@given(told=TOLD, pauses=PAUSES, late=st.booleans())
def test_one_run_for_one_lead_and_trigger(told: list[int], pauses: list[int], late: bool) -> None:
    with TemporaryDirectory(prefix="leadswitch-") as folder:
        desk = open_desk(Path(folder))
        try:
            publish(desk, BOOK)
            events: dict[int, EngagementEvent] = {
                number: act(PEOPLE[number % 2], desk.clock.now(), KINDS[number // 2]) for number in range(6)
            }
            records: list[LeadChange] = [change(str(place), desk.clock.now(), email=email) for place, email in enumerate(PEOPLE)]
            if not late:
                desk.tell(CRM, *records)
            for number, pause in zip(told, pauses, strict=False):
                desk.tell(MAIL, events[number])
                desk.run()
                sweep_playbooks(desk.house)
                desk.clock.move(pause)
            desk.tell(CRM, *records)
            for _ in range(3):
                desk.run()
                desk.clock.move(2_000)
                sweep_playbooks(desk.house)
            desk.run()
            for place in range(len(PEOPLE)):
                lead_id = desk.lead(str(place))
                runs = Counter(run.playbook for run in desk.house.playbooks.of_lead(lead_id))
                acts = {KINDS[number // 2] for number in told if number % 2 == place}
                assert set(runs.values()) <= {1}
                assert runs["scored"] == 1
                assert (runs["form"] == 1) is (EngagementKind.FORM_SUBMITTED in acts)
                assert (runs["click"] == 1) is (EngagementKind.EMAIL_CLICKED in acts)
                assert all(run.state == "done" for run in desk.house.playbooks.of_lead(lead_id))
                notes = [one.body for one, _ in desk.crm.writes if isinstance(one, NoteWrite) and one.external_id == str(place)]
                assert Counter(notes) == dict.fromkeys(runs, 1)
        finally:
            desk.house.close()
