"""The reps: who they are, what they hold, and what people set for them."""

from __future__ import annotations

from connector import commands
from connector.storage.reps import StoredRep
from leads.enums import Role
from webhooks.api.gate import Call, Operation, missing
from webhooks.api.records import RepChange, RepOut, RepsOut


def known_rep(call: Call, rep_id: str) -> StoredRep:
    """The rep with this id. Raises `Problem` 404."""
    rep = call.house.reps.get(rep_id) if rep_id.isascii() and rep_id.isdigit() and len(rep_id) <= 15 else None
    if rep is None:
        raise missing("rep")
    return rep


def rep_out(rep: StoredRep, open_leads: int) -> RepOut:
    """A rep as the API shows one."""
    return RepOut(
        id=rep.id,
        connection=rep.connection,
        external_id=rep.external_id,
        name=rep.name,
        email=rep.email,
        active=rep.active,
        open_leads=open_leads,
        teams=[rep.team] if rep.settings.get("team") else list(rep.crm_teams),
        settings=dict(rep.settings),
    )


def list_reps(call: Call) -> RepsOut:
    """Every rep with what is set for them and the leads they hold."""
    held = call.house.decisions.open_counts()
    return RepsOut(reps=[rep_out(rep, held.get(rep.id, 0)) for rep in call.house.reps.all()])


def change_rep(call: Call) -> RepOut:
    """Set what people may set for a rep; null takes a setting back."""
    change = call.read(RepChange)
    rep = known_rep(call, call.path["id"])
    changes = change.model_dump(mode="json", exclude_unset=True)
    changed = commands.set_rep(call.house, rep.id, changes, call.actor())
    return rep_out(changed, call.house.decisions.open_counts().get(rep.id, 0))


REP_OPERATIONS = (
    Operation("GET", "/reps", Role.REP, "List the reps", list_reps, RepsOut),
    Operation("PATCH", "/reps/{id}", Role.MANAGER, "Set what people set for a rep", change_rep, RepOut, takes=RepChange),
)
