"""The playbooks: checked against what is set up, and put in force."""

from __future__ import annotations

from dataclasses import dataclass

from connector.bootstrap import House
from connector.commands.people import Actor
from connector.errors import Configuration
from connector.playbooks.reading import Known, Playbooks, parse_playbooks
from connector.storage.playbooks import Run, StepTaken
from leads.enums import Role


@dataclass(frozen=True, slots=True)
class RunTold:
    """One run of a lead with the steps it took."""

    run: Run
    steps: tuple[StepTaken, ...]

    @property
    def cause(self) -> str:
        """What started it: act, score, tier, stage or quiet."""
        return self.run.cause.partition(":")[0]


def playbook_history(house: House, lead_id: int) -> list[RunTold]:
    """Every run of a lead, the oldest first."""
    found = house.playbooks.of_lead(lead_id)
    taken = house.playbooks.steps([run.id for run in found])
    return [RunTold(run, tuple(taken[run.id])) for run in found]


def known_names(house: House) -> Known:
    """The names that a file of playbooks may use here."""
    from scoring.catalogue import CATALOGUE  # it brings the numerics along

    settings = house.settings
    return Known(list(house.policy.teams), list(settings.webhooks), house.tools(), list(CATALOGUE), bool(settings.smtp.host))


def check_playbooks(text: str, name: str, house: House | None = None) -> Playbooks:
    """Read playbooks; with a house also whether teams, webhooks, tools and features are there.

    Raises `PlaybookError` (a ValueError) with a line for every mistake.
    """
    return parse_playbooks(text, name, known_names(house) if house else None)


def publish_playbooks(house: House, text: str, name: str, actor: Actor, reason: str) -> Playbooks:
    """Put playbooks in force for every process, within seconds, and record who and why.

    Raises `PlaybookError` when they are wrong, and `Configuration` when this actor may not, or gives no reason.
    """
    if not actor.may(Role.ADMIN):
        raise Configuration("Only admins may publish playbooks.")
    if not reason.strip():
        raise Configuration("Say why the playbooks change.", "Add --why TEXT.")
    playbooks = check_playbooks(text, name, house)
    with house.db.transaction():
        before = house.playbook_shelf.current().version
        house.playbooks.publish(playbooks.version, text, actor.label, reason.strip())
        detail = {"before": before, "after": playbooks.version}
        subject = f"playbooks:{playbooks.version}"
        house.audit.add(actor.label, "playbooks.published", subject, reason=reason.strip(), detail=detail)
    house.playbook_shelf.look_again()
    return playbooks
