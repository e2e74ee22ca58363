"""What is known at the end: what the stand-ins sent, what they hold now, and what our own API says was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]
#: Messages that several leads share.
DIGEST, ROUNDUP = "leadswitch_digest", "leadswitch_roundup"
SHARED = (DIGEST, ROUNDUP)


@dataclass(frozen=True)
class Evidence:
    """Everything the closing table is made from.

    `contacts` and `tasks` are the CRM's, `messages` the chat's, `ledgers` the deliveries by stand-in, `decisions` what we decided
    (see `Witness.decisions`), `people` the sales team by owner id, `answers` what people did in the chat and what came of it.
    """

    contacts: Mapping[str, Json]
    tasks: list[Json]
    messages: list[Json]
    ledgers: Mapping[str, list[Json]]
    decisions: Mapping[str, Json]
    people: Mapping[str, Json]
    backward_moves: int = 0
    expected_leads: int = 0
    answers: list[Json] = field(default_factory=list)

    def cards(self) -> Iterator[tuple[int, str, Json]]:
        """(lead, destination, message) of every card that stands."""
        for message in self.messages:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == "leadswitch_card" and not message["deleted"]:
                payload = metadata["event_payload"]
                yield int(payload["lead_id"]), str(payload["destination"]), message

    def listed(self) -> dict[int, list[str]]:
        """Lead → the channels of the shared messages (digests, roundups) that name it."""
        listed: dict[int, list[str]] = {}
        for message in self.messages:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") in SHARED and not message["deleted"]:
                for lead_id in metadata["event_payload"]["lead_ids"]:
                    listed.setdefault(int(lead_id), []).append(message["channel"])
        return listed

    def shared_messages(self) -> int:
        """Messages of ours that stand in channels, and digests: what a burst of leads may not make many of. Replies in a thread are
        of the message above them."""
        tops = (message for message in self.messages if message.get("thread_ts") in (None, message["ts"]))
        kinds = ((message["channel"], (message.get("metadata") or {}).get("event_type")) for message in tops)
        return sum(kind is not None and (channel.startswith("C") or kind == DIGEST) for channel, kind in kinds)


class Witness:
    """Reads over HTTP, from the stand-ins and from our public API only."""

    def __init__(self, crm: str, mail: str, slack: str, service: str, token: str) -> None:
        self.crm, self.mail, self.slack, self.service = crm, mail, slack, service
        self._client = httpx.Client(trust_env=False, timeout=20)
        self._bearer = {"authorization": f"Bearer {token}"}

    def close(self) -> None:
        self._client.close()

    def get(self, url: str, **params: Any) -> Any:
        """JSON of an address. Raises `httpx.HTTPError`."""
        answer = self._client.get(url, params=params)
        answer.raise_for_status()
        return answer.json()

    def post(self, url: str, body: Json) -> Any:
        answer = self._client.post(url, json=body)
        answer.raise_for_status()
        return answer.json()

    def summaries(self) -> tuple[Json, Json]:
        """The CRM's and the e-mail tool's own counts."""
        return self.get(f"{self.crm}/sandbox/summary"), self.get(f"{self.mail}/sandbox/summary")

    def decisions(self, since: str) -> dict[str, Json]:
        """What we decided, by the CRM's id of the lead: the newest owner, the tier of the first decision, how the lead is scored
        now. Raises `httpx.HTTPError`."""
        decided: dict[str, Json] = {}
        after: int | None = 0
        while after is not None:
            page = self._ours("/api/v1/decisions", since=since, after=after, limit=500)
            for decision in page["decisions"]:
                known = decided.setdefault(str(decision["external_id"]), {"first_tier": _tier(decision["tier"])})
                known |= {"lead_id": decision["lead_id"], "owner_id": decision["rep_external_id"], "outcome": decision["outcome"]}
            after = page["next_after"]
        with ThreadPoolExecutor(4) as pool:
            leads = pool.map(lambda decision: self._ours(f"/api/v1/leads/{decision['lead_id']}"), decided.values())
            for decision, lead in zip(decided.values(), leads, strict=True):
                score = lead["score"] or {"tier": "", "score": None}
                decision |= {"tier": _tier(score["tier"]), "score": score["score"]}
        return decided

    def _ours(self, path: str, **params: Any) -> Any:
        answer = self._client.get(self.service + path, params=params, headers=self._bearer)
        answer.raise_for_status()
        return answer.json()

    def gather(self, since: str, expected_leads: int, answers: list[Json]) -> Evidence:
        """Everything, as it is now."""
        state, chat = self.get(f"{self.crm}/sandbox/state"), self.get(f"{self.slack}/sandbox/state")
        owners = self.get(f"{self.crm}/sandbox/owners")
        return Evidence(
            contacts={contact["id"]: contact for contact in state["contacts"]},
            tasks=state["tasks"],
            messages=chat["messages"],
            ledgers={"crm": self.get(f"{self.crm}/sandbox/ledger"), "mail": self.get(f"{self.mail}/sandbox/ledger")},
            decisions=self.decisions(since),
            people={owner["id"]: owner for owner in owners},
            backward_moves=state["backward_moves"],
            expected_leads=expected_leads,
            answers=answers,
        )


def _tier(word: str | None) -> str:
    return (word or "").upper()
