# ruff: noqa: SIM905 - lists of words read best as words
"""The sales team: the same twenty people are owners in the CRM and members of the chat workspace."""

from __future__ import annotations

from dataclasses import dataclass

#: Team → its chat channel.
CHANNELS = {"Americas": "leads", "EMEA": "leads-emea", "APAC": "leads-apac", "Enterprise": "leads-enterprise"}
_NAMES = (
    "Alex Rivera,Bianca Stone,Chidi Obi,Dana Cruz,Erik Lund,Fiona Walsh,Goran Ilic,Hye-jin Seo,Imani Clarke,Jonas Weiss,"
    "Kamala Rao,Luca Ferri,Mina Sato,Nils Berg,Oksana Bondar,Pablo Ruiz,Qi Zhao,Rosalind Hart,Sven Holm,Tala Nasser"
).split(",")


@dataclass(frozen=True)
class Member:
    """One salesperson. `owner_id` is HubSpot's, `slack_id` Slack's."""

    number: int
    name: str
    email: str
    team: str
    owner_id: str
    slack_id: str
    role: str = "rep"


def team() -> tuple[Member, ...]:
    """Twenty reps in four teams, a manager and an admin (who own no leads)."""
    teams = tuple(CHANNELS)
    members = []
    for number, name in enumerate(_NAMES):
        email = f"{name.lower().replace(' ', '.')}@acme.example"
        members.append(Member(number, name, email, teams[number % 4], str(7_000_001 + number), f"U0REP{number:05d}"))
    members.append(Member(20, "Marta Manager", "marta.manager@acme.example", "", "", "U0MANAGER0", "manager"))
    members.append(Member(21, "Ari Admin", "ari.admin@acme.example", "", "", "U0ADMIN000", "admin"))
    return tuple(members)


def reps() -> tuple[Member, ...]:
    return tuple(member for member in team() if member.owner_id)
