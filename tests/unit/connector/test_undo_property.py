"""Whatever one person does to a lead, undoing it all, the last first, leaves the lead as it was."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector import commands, testing
from connector.commands import Actor, Done
from connector.commands.ledger import standing
from connector.testing import StandingClock
from leads.enums import Role
from tests.unit.bots.slack_fakes import add_lead, add_reps

ACTS = ("accept", "pass", "to_ben", "to_ada", "snooze", "won", "lost", "contacted", "correct", "caps")


def do(house: object, lead: int, act: str, boss: Actor, clock: StandingClock) -> Done:
    """One act of the boss, who is a rep too."""
    steps = {
        "accept": lambda: commands.accept(house, lead, boss),
        "pass": lambda: commands.pass_on(house, lead, boss, "no_capacity"),
        "to_ben": lambda: commands.reassign(house, lead, "2", boss, "because"),
        "to_ada": lambda: commands.reassign(house, lead, "1", boss, "because"),
        "snooze": lambda: commands.snooze(house, lead, clock.now() + timedelta(hours=5), boss),
        "correct": lambda: commands.correct_score(house, lead, boss, "too_low"),
    }
    if act == "caps":
        commands.set_rep(house, "1", {"capacity": int(clock.now().timestamp()) % 50}, boss)
        return Done(True, "")
    return steps[act]() if act in steps else commands.log_outcome(house, lead, boss, act)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(ACTS), max_size=6))
def test_undoing_everything_leads_back_to_the_start(acts: list[str]) -> None:
    clock, boss = StandingClock(), Actor("slack", "UBOSS", Role.MANAGER, "3")
    with tempfile.TemporaryDirectory() as folder:
        house = testing.house(Path(folder), clock=clock, connections={"crm": {"name": "crm", "adapter": "hubspot", "token": "pat"}})
        add_reps(house)
        lead = add_lead(house, clock, "51", "Jane", "jane@acme.example")

        def stands() -> tuple[object, ...]:
            stored, ada = house.leads.get(lead), house.reps.get("1")
            assert stored is not None
            assert ada is not None
            return standing(house, stored), dict(ada.settings), house.snoozes.open(lead) is None, len(house.feedback.labels())

        begun = stands()
        for act in acts:
            clock.move(2)
            do(house, lead, act, boss, clock)
        while house.acts.last(boss.label):
            clock.move(2)
            done = commands.undo(house, boss)
            assert done.ok, done.text
        assert stands() == begun
        house.close()
