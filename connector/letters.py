"""Second chances: dead letters and stored deliveries that a person sends through again, or drops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.errors import LeadswitchError

if TYPE_CHECKING:
    from connector.bootstrap import House


def replay_letter(house: House, letter_id: int, actor: str) -> str:
    """Try the work of a dead letter again; returns one line on what happens now. Nothing that was done is done twice."""
    letter = house.deadletters.get(letter_id)
    if letter is None or letter.state != "open":
        raise LeadswitchError(f"There is no open dead letter {letter_id}.")
    destination: str | None = None
    with house.db.transaction():
        if letter.origin == "inbox":
            house.inbox.reopen(letter.reference)
            said = f"Delivery {letter.reference} goes through the pipeline again."
        elif letter.origin == "lead":
            house.leads.touch(letter.reference)
            said = f"Lead {letter.reference} is scored and allocated again."
        else:
            destination = house.effects.revive(letter.reference)
            said = (
                f"Effect {letter.reference} goes to {destination} again."
                if destination
                else f"Effect {letter.reference} needs nothing: an equal one waits or was done."
            )
        house.deadletters.mark(letter_id, "replayed")
        house.audit.add(actor, "deadletter.replay", f"deadletter:{letter_id}")
    if letter.origin == "inbox":
        _ring(house, letter.reference)
    elif letter.origin == "lead":
        house.queue.ring_score(letter.reference)
    elif destination:
        house.queue.ring_deliver(destination)
    return said


def drop_letter(house: House, letter_id: int, actor: str, reason: str | None) -> None:
    """Close a dead letter without doing its work. Raises `LeadswitchError` when it is not open."""
    with house.db.transaction():
        if not house.deadletters.mark(letter_id, "dropped"):
            raise LeadswitchError(f"There is no open dead letter {letter_id}.")
        house.audit.add(actor, "deadletter.drop", f"deadletter:{letter_id}", reason=reason)


def replay_delivery(house: House, inbox_id: int, actor: str) -> bool:
    """Send a stored delivery through the pipeline again; false when it waits already or is not there."""
    with house.db.transaction():
        if not house.inbox.reopen(inbox_id):
            return False
        house.audit.add(actor, "inbox.replay", f"inbox:{inbox_id}")
    _ring(house, inbox_id)
    return True


def _ring(house: House, inbox_id: int) -> None:
    for delivery in house.inbox.read([inbox_id]):
        ring = house.queue.ring_command if delivery.connection == "slack" else house.queue.ring_new
        ring([inbox_id])
