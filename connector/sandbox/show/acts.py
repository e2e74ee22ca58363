"""What reps do in the chat, done for them: press the buttons they see, fill in the modals they get, type commands, and look at
what comes of it. Everything goes through the workspace, as signed requests, exactly as from the desk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from connector.sandbox.show.witness import Witness
from connector.sandbox.world.team import reps, team

Json = dict[str, Any]
PATIENCE_S = 12.0


class NotSeen(Exception):
    """What should have happened did not."""


@dataclass
class People:
    """Acts in the workspace and looks at it and at the CRM."""

    witness: Witness

    def state(self, user: str = "") -> Json:
        state: Json = self.witness.get(f"{self.witness.slack}/sandbox/state", user=user)
        return state

    def act(self, name: str, user: str, **about: Any) -> Json:
        """One act. Raises `NotSeen` when the app does not answer it in time or well."""
        outcome: Json = self.witness.post(f"{self.witness.slack}/sandbox/act/{name}", {"user": user, **about})
        if not outcome["ok"]:
            raise NotSeen(f"{name}: {outcome.get('error')}")
        if outcome.get("errors"):
            raise NotSeen(f"{name}: {outcome['errors']}")
        return outcome

    def cards(self, label: str, direct: bool) -> Iterator[tuple[Json, Json]]:
        """(message, action) of the cards that show a button or a menu entry with this label, the newest first."""
        for message in sorted(self.state()["messages"], key=lambda one: str(one["ts"]), reverse=True):
            is_card = (message.get("metadata") or {}).get("event_type") == "leadswitch_card" and not message["deleted"]
            if is_card and message["channel"].startswith("D") == direct and (action := find_action(message, label)):
                yield message, action

    def owner_of(self, message: Json) -> str:
        """Who owns the card's lead in the CRM now."""
        contact_id = message["metadata"]["event_payload"]["external_id"]
        contact = self.witness.get(f"{self.witness.crm}/sandbox/contacts/{contact_id}")
        return str(contact["properties"].get("hubspot_owner_id"))

    def message(self, message: Json) -> Json:
        """The message as it is now."""
        found = [one for one in self.state()["messages"] if one["ts"] == message["ts"] and one["channel"] == message["channel"]]
        return found[0] if found else {}


def wait_until(what: str, holds: Callable[[], Any]) -> Any:
    """What `holds` gives once it is true. Raises `NotSeen` when that takes too long."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = holds()
        if found:
            return found
        time.sleep(0.1)
    raise NotSeen(f"{what} did not happen within {PATIENCE_S:.0f} s")


def find_action(message: Json, label: str) -> Json | None:
    """The action that pressing `label` on this message sends."""
    for block in message.get("blocks") or []:
        for element in [*(block.get("elements") or []), block.get("accessory") or {}]:
            about = {"type": element.get("type"), "action_id": element.get("action_id"), "block_id": block.get("block_id")}
            if element.get("type") == "button" and element["text"]["text"] == label:
                return about | {"value": element.get("value", ""), "text": element["text"]}
            for option in element.get("options") or []:
                if element.get("type") == "overflow" and option["text"]["text"] == label:
                    return about | {"selected_option": option}
    return None


def act_as_people(witness: Witness) -> list[Json]:
    """Do each thing once; a list of {"what", "ok", "why"}."""
    people = People(witness)
    done: list[Json] = []
    acts = (accept, decline, reassign, ask_for_help, show_lead, ask_why)
    for act in acts:
        what = act.__name__.replace("_", " ")
        try:
            act(people)
        except (NotSeen, StopIteration, KeyError, httpx.HTTPError) as error:
            done.append({"what": what, "ok": False, "why": f"{type(error).__name__}: {error}"})
        else:
            done.append({"what": what, "ok": True, "why": ""})
    return done


def accept(people: People) -> None:
    """The owner presses Accept on a card in their direct messages: the button goes, the card says so."""
    message, action = next(people.cards("Accept", direct=True))
    people.act("press", _user_of(message), channel=message["channel"], ts=message["ts"], action=action)
    wait_until("the card's change", lambda: find_action(people.message(message), "Accept") is None)


def decline(people: People) -> None:
    """The owner presses Pass, gives a reason in the modal: somebody else gets the lead, in the CRM too."""
    message, action = next(people.cards("Pass", direct=True))
    user, before = _user_of(message), people.owner_of(message)
    people.act("press", user, channel=message["channel"], ts=message["ts"], action=action)
    fill_in(people, user)
    wait_until("a new owner in the CRM", lambda: people.owner_of(message) != before)


def reassign(people: People) -> None:
    """The manager gives a lead to another rep, who owns it in the CRM then: by the menu of a card in a channel, or by command when
    no lead was hot enough for one."""
    in_channel = next(people.cards("Reassign", direct=False), None)
    message, action = in_channel or next(people.cards("Pass", direct=True))
    manager = next(member.slack_id for member in team() if member.role == "manager")
    owner = people.owner_of(message)
    chosen = next(rep for rep in reps() if rep.owner_id != owner)
    if in_channel:
        people.act("press", manager, channel=message["channel"], ts=message["ts"], action=action)
        fill_in(people, manager, chosen.slack_id, chosen.name)
    else:
        _command(people, f"/lead reassign {_name_of(people, message)} to {chosen.name} because Said by the demo", manager)
    wait_until("the chosen owner in the CRM", lambda: people.owner_of(message) == chosen.owner_id)


def ask_for_help(people: People) -> None:
    """`/lead help` is answered to the person alone."""
    _command(people, "/lead help")


def show_lead(people: People) -> None:
    """`/lead show` with the name of a lead in the CRM."""
    _command(people, f"/lead show {_a_name(people)}")


def ask_why(people: People) -> None:
    """`/lead why` says why a lead went where it is."""
    _command(people, f"/lead why {_a_name(people)}")


def fill_in(people: People, user: str, person: str = "", name: str = "") -> None:
    """Wait for the modal, fill in every field that must be, press its submit button."""
    view = wait_until("the modal", lambda: people.state(user)["view"])
    values: Json = {}
    for block in view["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            values[block["block_id"]] = {
                element["action_id"]: {"type": element["type"], **_value(people, user, view, block, person, name)}
            }
    people.act("submit", user, view_id=view["id"], values=values)


def _value(people: People, user: str, view: Json, block: Json, person: str, name: str) -> Json:
    element = block["element"]
    kind = element["type"]
    if kind == "users_select":
        return {"selected_user": person}
    if kind == "external_select":
        about = {"view_id": view["id"], "block_id": block["block_id"], "action_id": element["action_id"], "query": name}
        answer = people.act("suggest", user, **about)["answer"]
        return {"selected_option": answer["options"][0]}
    if kind in ("static_select", "radio_buttons"):
        named = [option for option in element["options"] if option["text"]["text"].startswith(name)] if name else []
        return {"selected_option": (named or element["options"])[0]}
    return {"value": None if block.get("optional") else "Said by the demo"}


def _command(people: People, text: str, user: str | None = None) -> None:
    """Type a command in the first channel; a new message for the person alone must follow."""
    user = user or reps()[0].slack_id
    state = people.state(user)
    channel = next(one["id"] for one in state["channels"] if not one["user"])
    before = state["changes"]
    people.act("say", user, channel=channel, text=text)

    def answered() -> bool:
        return any(one["only_for"] == user and one["seen"] > before for one in people.state(user)["messages"])

    wait_until(f"an answer to {text}", answered)


def _a_name(people: People) -> str:
    """An e-mail address of a lead that has a card."""
    message, _ = next(people.cards("Pass", direct=True))
    return _name_of(people, message)


def _name_of(people: People, message: Json) -> str:
    contact_id = message["metadata"]["event_payload"]["external_id"]
    contact = people.witness.get(f"{people.witness.crm}/sandbox/contacts/{contact_id}")
    return str(contact["properties"].get("email") or contact["properties"]["company"])


def _user_of(message: Json) -> str:
    """Whose direct messages the card is in."""
    return "U" + str(message["channel"])[1:]
