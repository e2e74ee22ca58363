"""The closing table: the state that what was sent should have led to, against the state that is."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.ledger import FORGED, GENUINE, REPEAT, STALE
from connector.sandbox.show.witness import Evidence
from connector.sandbox.world.team import CHANNELS

Json = dict[str, Any]
#: (lead, destination) → its cards there; lead → the channels of the shared messages that name it.
Cards = Mapping[tuple[int, str], Sequence[Json]]
Listed = Mapping[int, Sequence[str]]
GHOSTS_FROM = 990_000_000  # ids of contacts that only forged deliveries speak of
HOT, WARM = "A", "B"
#: Within a tier, a move of the score smaller than this is not written, on purpose.
SMALL_MOVE = 5
#: Messages to channels and digests, together, that a campaign of 500 leads may make.
FEW_MESSAGES = 60


@dataclass(frozen=True)
class Check:
    """One line of the table: what should be, what is, and whether that is right."""

    name: str
    expected: str
    actual: str
    ok: bool
    examples: Sequence[str] = ()
    counts: bool = True  # whether the verdict rests on it; how quick we were depends on what else the machine does


@dataclass
class Verdict:
    """All lines. `figures` are those that the title names, for programs."""

    checks: list[Check] = field(default_factory=list)
    figures: dict[str, float | int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks if check.counts)

    def note(self, name: str, aim: str, actual: str, ok: bool) -> None:
        """A figure that is shown beside its aim."""
        self.checks.append(Check(name, aim, actual, ok, counts=False))

    def add(self, name: str, expected: int | str, actual: int | str, ok: bool | None = None, examples: Iterable[str] = ()) -> None:
        holds = expected == actual if ok is None else ok
        self.checks.append(Check(name, _shown(expected), _shown(actual), holds, tuple(examples)[:4]))


def _shown(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def judge(evidence: Evidence) -> Verdict:
    """Recompute what should be from what was sent, and compare."""
    verdict = Verdict()
    _intake(evidence, verdict)
    leads = {contact_id: evidence.decisions.get(contact_id) for contact_id in evidence.contacts}
    _decisions(evidence, verdict, leads)
    lost, doubled = _write_back(evidence, verdict, leads)
    unheard, twice = _alerts(evidence, verdict, leads)
    missing = {contact_id for contact_id, decision in leads.items() if decision is None}
    _answers(evidence, verdict)
    _latency(evidence, verdict)
    gone = missing | lost | unheard
    verdict.add("lost leads", 0, len(gone), examples=sorted(gone))
    verdict.add("doubled effects", 0, len(doubled) + len(twice), examples=[*doubled, *twice])
    verdict.figures |= {"lost": len(gone), "doubled": len(doubled) + len(twice)}
    return verdict


# ---- what came in


def _intake(evidence: Evidence, verdict: Verdict) -> None:
    rows = [row for ledger in evidence.ledgers.values() for row in ledger]
    by_mark = {mark: [row for row in rows if row["mark"] == mark] for mark in (GENUINE, REPEAT, FORGED, STALE)}
    sent = {key for row in by_mark[GENUINE] for key in row["keys"]}
    taken = {key for row in by_mark[GENUINE] if _accepted(row) for key in row["keys"]}
    verdict.add("events sent and acknowledged", len(sent), len(taken))
    bad = [*by_mark[FORGED], *by_mark[STALE]]
    verdict.add("forged or stale deliveries, refused with 401", len(bad), sum(row["status"] == 401 for row in bad))
    again = by_mark[REPEAT]
    verdict.add("repeated deliveries, acknowledged", len(again), sum(_accepted(row) for row in again))
    repeats = sum(len(row["keys"]) for row in again)
    verdict.figures |= {"events_in": len(taken), "rejected": sum(row["status"] == 401 for row in bad), "duplicates": repeats}
    ghosts = [lead for lead in evidence.decisions if lead.isdigit() and int(lead) >= GHOSTS_FROM]
    verdict.add("leads made from forged deliveries", 0, len(ghosts), examples=ghosts)


def _accepted(row: Json) -> bool:
    return row["status"] is not None and 200 <= row["status"] < 300


# ---- what was decided


def _decisions(evidence: Evidence, verdict: Verdict, leads: dict[str, Json | None]) -> None:
    verdict.add("leads", evidence.expected_leads, len(evidence.contacts))
    decided = {contact_id: decision for contact_id, decision in leads.items() if decision is not None}
    verdict.add("leads decided", len(leads), len(decided), examples=[one for one in leads if one not in decided])
    owned = [decision for decision in decided.values() if decision["owner_id"]]
    verdict.add("leads assigned", len(leads), len(owned))
    tiers = Counter(decision["tier"] for decision in decided.values())
    shown = " ".join(f"{tier} {tiers.get(tier, 0)}" for tier in "ABCD")
    verdict.add("tiers", "A–D for every lead", shown, sum(tiers.get(tier, 0) for tier in "ABCD") == len(leads))
    verdict.figures |= {"leads": len(leads), "assigned": len(owned)} | {
        f"tier_{tier.lower()}": tiers.get(tier, 0) for tier in "ABCD"
    }


# ---- what the CRM holds


def _write_back(evidence: Evidence, verdict: Verdict, leads: dict[str, Json | None]) -> tuple[set[str], list[str]]:
    """Returns the contacts that do not hold what was decided, and what is there twice."""
    wrong: dict[str, str] = {}
    for contact_id, decision in leads.items():
        if decision is not None and (fault := _fault(evidence.contacts[contact_id]["properties"], decision)):
            wrong[contact_id] = fault
    right = len(leads) - len(wrong) - sum(decision is None for decision in leads.values())
    verdict.add(
        "CRM holds owner, score, tier as decided", len(leads), right, examples=[f"{one}: {why}" for one, why in wrong.items()]
    )
    verdict.add("lifecycle stages moved backwards", 0, evidence.backward_moves)
    tasks: dict[str, list[Json]] = {contact_id: [] for contact_id in leads}
    for task in evidence.tasks:
        for contact_id in task["contacts"]:
            tasks.setdefault(contact_id, []).append(task)
    one_each = [contact_id for contact_id in leads if len(tasks[contact_id]) == 1]
    verdict.add("leads with exactly one task", len(leads), len(one_each), examples=[one for one in leads if len(tasks[one]) != 1])
    misplaced = [
        contact_id
        for contact_id in one_each
        if tasks[contact_id][0]["properties"].get("hubspot_owner_id")
        != evidence.contacts[contact_id]["properties"].get("hubspot_owner_id")
    ]
    verdict.add("tasks that are not the owner's", 0, len(misplaced), examples=misplaced)
    verdict.figures["written_back"] = right
    doubled = [f"task of {contact_id}" for contact_id, found in tasks.items() for _ in found[1:]]
    return set(wrong) | {one for one in leads if not tasks[one]}, doubled


def _fault(properties: Json, decision: Json) -> str:
    """What of a contact is not as decided ("" when all is)."""
    if properties.get("hubspot_owner_id") != str(decision["owner_id"]):
        return f"owner {properties.get('hubspot_owner_id')} instead of {decision['owner_id']}"
    if properties.get("leadswitch_tier") != decision["tier"]:
        return f"tier {properties.get('leadswitch_tier')} instead of {decision['tier']}"
    shown = properties.get("leadswitch_score")
    if shown is None or decision["score"] is None or abs(float(shown) - float(decision["score"])) >= SMALL_MOVE:
        return f"score {shown} instead of {decision['score']}"
    return ""


# ---- what the chat shows


def _alerts(evidence: Evidence, verdict: Verdict, leads: dict[str, Json | None]) -> tuple[set[str], list[str]]:
    """Returns the contacts whose owner was not told, and the cards that are there twice."""
    cards: dict[tuple[int, str], list[Json]] = {}
    for lead_id, destination, message in evidence.cards():
        cards.setdefault((lead_id, destination), []).append(message)
    listed = evidence.listed()
    unheard: set[str] = set()
    wanted_cards = standing = 0
    for contact_id, decision in leads.items():
        if decision is None or not decision["owner_id"]:
            continue
        wanted = _wanted(evidence, decision)
        standing_here = [one for one in wanted if _has_card(cards, listed, int(decision["lead_id"]), one)]
        wanted_cards, standing = wanted_cards + len(wanted), standing + len(standing_here)
        if len(standing_here) < len(wanted) or not _told(evidence, cards, listed, decision):
            unheard.add(contact_id)
    verdict.add("cards for hot and warm leads", wanted_cards, standing)
    rest = [decision for decision in leads.values() if decision and decision["owner_id"] and decision["tier"] not in (HOT, WARM)]
    told_rest = sum(_told(evidence, cards, listed, decision) for decision in rest)
    verdict.add("other leads listed in their owner's digest", len(rest), told_rest)
    shared = evidence.shared_messages()
    most = max(FEW_MESSAGES, FEW_MESSAGES * len(leads) // 500)
    verdict.add("messages to channels, and digests", f"at most {most}", f"{shared}", shared <= most)
    verdict.figures["shared_messages"] = shared
    twice = [f"card {lead_id} in {destination}" for (lead_id, destination), found in cards.items() if len(found) > 1]
    verdict.add("destinations with more than one card of a lead", 0, len(twice), examples=twice)
    verdict.figures["duplicate_cards"] = len(twice)
    verdict.figures |= {"alerted": len(leads) - len(unheard), "cards": sum(map(len, cards.values()))}
    return unheard, twice


def _wanted(evidence: Evidence, decision: Json) -> list[tuple[str, str]]:
    """Where the card of a lead must be: ("direct", Slack user) and, for a hot one, ("channel", name)."""
    owner = evidence.people[str(decision["owner_id"])]
    tier = decision["tier"]
    direct = [("direct", owner["slack_id"])] if tier in (HOT, WARM) else []
    return [*direct, ("channel", CHANNELS[owner["team"]])] if tier == HOT else direct


def _told(evidence: Evidence, cards: Cards, listed: Listed, decision: Json) -> bool:
    """Whether whoever owns the lead now was told of it, by a card or in a digest of theirs."""
    lead_id, place = int(decision["lead_id"]), ("direct", evidence.people[str(decision["owner_id"])]["slack_id"])
    return _has_card(cards, listed, lead_id, place) or _channel_id(place) in listed.get(lead_id, ())


def _channel_id(place: tuple[str, str]) -> str:
    kind, name = place
    return f"D{name[1:]}" if kind == "direct" else f"C0LEADS{list(CHANNELS.values()).index(name):03d}"


def _has_card(cards: Cards, listed: Listed, lead_id: int, place: tuple[str, str]) -> bool:
    """Whether the lead has a card in this place. In a channel a line in the message that many hot leads share will do."""
    channel_id = _channel_id(place)
    if place[0] == "channel" and channel_id in listed.get(lead_id, ()):
        return True
    return any(message["channel"] == channel_id for (lead, _), found in cards.items() if lead == lead_id for message in found)


# ---- how people were answered, and how quickly


def _answers(evidence: Evidence, verdict: Verdict) -> None:
    if evidence.answers:
        good = [answer for answer in evidence.answers if answer["ok"]]
        bad = [f"{answer['what']}: {answer['why']}" for answer in evidence.answers if not answer["ok"]]
        verdict.add("clicks and commands that did what they say", len(evidence.answers), len(good), examples=bad)


def _latency(evidence: Evidence, verdict: Verdict) -> None:
    """From the first notice of a lead to its first card, for the leads that were hot or warm at once.

    The moments are the stand-ins' own: when the CRM first sent a delivery that speaks of the contact, and when the chat took the
    card. Leads that became hot by what they did later are left out, because no single webhook is their cause.
    """
    waits = sorted(_waits(evidence))
    if not waits:
        verdict.note("webhook to alert", "p95 under 2 s", "no alerts", False)
        return
    p50, p95 = statistics.median(waits), waits[min(len(waits) - 1, round(0.95 * len(waits)))]
    verdict.note("webhook to alert, 50th percentile", "aim 0.5 s", f"{p50:.2f} s", p50 < 0.5)
    verdict.note("webhook to alert, 95th percentile", "aim 2 s", f"{p95:.2f} s", p95 < 2.0)
    verdict.figures |= {"p50_s": round(p50, 3), "p95_s": round(p95, 3)}


def _waits(evidence: Evidence) -> Iterable[float]:
    """Seconds, one for each lead that was hot or warm when it was first decided."""
    sent: dict[str, float] = {}
    for row in evidence.ledgers["crm"]:
        if row["mark"] == GENUINE and row["first_at"] is not None:
            for subject in row["subjects"]:
                sent[subject] = min(sent.get(subject, row["first_at"]), row["first_at"])
    posted: dict[int, float] = {}
    for lead_id, _, message in evidence.cards():
        posted[lead_id] = min(posted.get(lead_id, message["posted_at"]), message["posted_at"])
    for contact_id, decision in evidence.decisions.items():
        if decision["first_tier"] not in (HOT, WARM):
            continue
        lead_id = int(decision["lead_id"])
        if lead_id in posted and contact_id in sent:
            yield posted[lead_id] - sent[contact_id]
