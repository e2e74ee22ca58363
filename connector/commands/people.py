"""Who acts, what they may do, and how an act ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from connector.bootstrap import House
from connector.storage.reps import StoredRep
from leads.enums import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `kind` is slack, api, cli or system; `rep_id` when they are a salesperson."""

    kind: str
    id: str
    role: Role
    rep_id: str | None = None

    @property
    def label(self) -> str:
        return f"{self.kind}:{self.id}"

    def may(self, role: Role) -> bool:
        """True when this actor's role holds `role`."""
        order = list(Role)
        return self.role is not Role.UNKNOWN and order.index(self.role) >= order.index(role)


@dataclass(frozen=True, slots=True)
class Done:
    """How an act ended, with one sentence for the person."""

    ok: bool
    text: str


def _link_by_email(house: House, slack_user_id: str, email: str | None) -> StoredRep | None:
    """The rep with this address, who is linked to the Slack user from now on; None when there is none, or when they are linked to
    somebody else: an address alone takes no rep away from anybody."""
    with house.db.transaction():
        rep = house.reps.by_email(email) if email else None
        if rep is None or rep.slack_user_id not in (None, slack_user_id):
            return None
        house.reps.link_slack(rep.id, slack_user_id)
        after = {"slack_user_id": slack_user_id, "by": "email"}
        house.audit.add(f"slack:{slack_user_id}", "rep.linked", f"rep:{rep.id}", detail={"before": {}, "after": after})
        return rep


def actor_for_slack(house: House, slack_user_id: str, email: str | None, groups: Collection[Role] = ()) -> Actor:
    """Who a Slack user is here: by link, else by e-mail. Admins and managers come from the settings, by name or by `groups`: the
    roles of the Slack user groups that they are in."""
    rep = house.reps.by_slack(slack_user_id) or _link_by_email(house, slack_user_id, email)
    names = {slack_user_id.lower(), (email or "").lower()} - {""}
    slack = house.settings.slack
    role = Role.REP if rep and rep.active else Role.UNKNOWN
    if Role.MANAGER in groups or names & {name.lower() for name in slack.managers}:
        role = Role.MANAGER
    if Role.ADMIN in groups or names & {name.lower() for name in slack.admins}:
        role = Role.ADMIN
    return Actor("slack", slack_user_id, role, rep.id if rep and rep.active else None)
