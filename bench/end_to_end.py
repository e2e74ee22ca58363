"""How long from a webhook to the rep's alert, through the whole service on the embedded default.

    python -m bench.end_to_end [--leads 500] [--events 5000] [--rate 50]

The sandbox's CRM makes the leads (three in ten hot, three warm, the rest for the digest) and sends its signed webhooks; this
program sends the engagement events as signed SendGrid deliveries, one event each, so that all together come at `--rate` a second.
20 reps, 4 channels. Meanwhile reps type slash commands, two a second. Then one burst measures what the service takes at most, and
at last web, worker and clock are killed in turn (SIGKILL) while more leads come. The moments are the stand-ins' own: when the CRM
first sent a delivery about the lead, when the chat took the direct message, how long a command waited for its acknowledgement.

Last line: JSON with p50_s, p95_s (webhook to direct message), ack_p99_ms (slash command to acknowledgement), answer_p95_s (slash
command to answer), events_per_s_max, lost, doubled, duplicate_cards (after the kills), shared_messages (to channels, and digests)
and the figures behind them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.pids import read_pid
from connector.sandbox.ledger import GENUINE
from connector.sandbox.show.stage import HUBSPOT, SENDGRID, Stage
from connector.sandbox.show.verdict import judge
from connector.sandbox.show.witness import Evidence, Witness
from connector.sandbox.world.team import reps

HOT: dict[str, str] = {
    "jobtitle": "Chief Executive Officer",
    "phone": "+4930901820",
    "message": "We have an approved budget and want to buy this week. Please call us urgently.",
}
WARM: dict[str, str] = {"jobtitle": "Head of Operations", "phone": "+4930901820"}
COLD: dict[str, str] = {"jobtitle": "Student"}
#: Acts that move no tier by themselves, as most mail traffic does.
ACTS = ("processed", "delivered", "open", "deferred")
BURST = 1_000
SETTLE_S = 90.0
COMMANDS_A_SECOND = 2.0
#: Killed in this order, while so many leads come; what they had in hand comes back after a lease of 90 seconds.
KILLED, LEADS_A_KILL = ("worker", "web", "clock"), 15
AFTER_KILLS_S = 240.0


def profile(number: int) -> tuple[str, dict[str, str]]:
    """The CRM properties of lead `number`: three in ten hot, three warm, four cold."""
    word, base = [("hot", HOT)] * 3 + [("warm", WARM)] * 3 + [("cold", COLD)] * 4, number % 10
    kind, properties = word[base]
    domain = f"company{number}.example" if kind != "cold" else "gmail.com"
    named = {"email": f"person{number}@{domain}", "firstname": f"Lead {number}", "company": f"Company {number}"}
    return kind, {**named, **properties}


@dataclass
class Mailer:
    """Sends signed SendGrid deliveries over kept connections."""

    url: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0

    @property
    def public_key(self) -> str:
        encoded = self.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(encoded).decode()

    async def send(self, client: httpx.AsyncClient, events: list[dict[str, Any]]) -> None:
        """One delivery. Counted by the status it got."""
        body, moment = json.dumps(events).encode(), str(int(time.time()))
        signature = base64.b64encode(self.key.sign(moment.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
        headers = {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": signature,
            "x-twilio-email-event-webhook-timestamp": moment,
        }
        answer = await client.post(self.url, content=body, headers=headers)
        self.statuses[answer.status_code] += 1
        self.sent += len(events)


def mail_event(number: int, lead: int, rng: Random) -> dict[str, Any]:
    """One act of a lead's mailbox."""
    email = profile(lead)[1]["email"]
    return {"email": email, "event": rng.choice(ACTS), "sg_event_id": f"bench-{number}", "timestamp": int(time.time())}


@dataclass
class Typist:
    """Types slash commands as one rep after another, and keeps how long each took to be acknowledged."""

    slack: str
    ack_ms: list[float] = field(default_factory=list)
    typed: list[tuple[str, float]] = field(default_factory=list)
    failed: int = 0

    async def type(self, client: httpx.AsyncClient, number: int, lead: int) -> None:
        """One command about a lead that is there already."""
        people = reps()
        user = people[number % len(people)].slack_id
        about = {"user": user, "channel": f"D{user[1:]}", "text": f"/lead show {profile(lead)[1]['email']}"}
        self.typed.append((user, time.time()))
        outcome = (await client.post(f"{self.slack}/sandbox/act/say", json=about)).json()
        self.failed += not outcome["ok"]
        if outcome["ok"]:
            self.ack_ms.append(float(outcome["took_ms"]))

    def answers(self, messages: list[dict[str, Any]]) -> list[float]:
        """Seconds from each command to its answer, the shortest first. A command that has none counts until now."""
        told: dict[str, list[float]] = {}
        for message in messages:
            if message["only_for"]:
                told.setdefault(message["only_for"], []).append(float(message["posted_at"]))
        waits = []
        for user, at in self.typed:
            after = [moment for moment in told.get(user, ()) if moment >= at]
            waits.append((min(after) if after else time.time()) - at)
        return sorted(waits)


async def play(stage: Stage, mailer: Mailer, typist: Typist, leads: int, events: int, rate: float) -> float:
    """Send leads and events evenly mixed at `rate` a second, with commands beside them; returns the seconds it really took."""
    rng = Random(11)
    total = leads + events
    made = typed = 0
    began = time.monotonic()
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    async with httpx.AsyncClient(trust_env=False, timeout=30, limits=limits) as client, asyncio.TaskGroup() as group:
        for number in range(total):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            if made < leads and made * total <= number * leads:
                _, properties = profile(made)
                group.create_task(_make_lead(client, stage.url("crm"), properties))
                made += 1
            else:
                group.create_task(mailer.send(client, [mail_event(number, rng.randrange(max(made, 1)), rng)]))
            if made > 20 and number / rate >= typed / COMMANDS_A_SECOND:
                group.create_task(typist.type(client, typed, rng.randrange(made - 20)))
                typed += 1
    return time.monotonic() - began


async def _make_lead(client: httpx.AsyncClient, crm: str, properties: dict[str, str]) -> None:
    (await client.post(f"{crm}/sandbox/contacts", json=properties)).raise_for_status()


async def burst(stage: Stage, mailer: Mailer, leads: int) -> float:
    """Events a second that the service works off when they come faster than it can."""
    rng = Random(12)
    began = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for start in range(0, BURST, 20):
            await mailer.send(client, [mail_event(10_000_000 + start + place, rng.randrange(leads), rng) for place in range(20)])
        await _wait_for(lambda: _pending(client, stage), "the burst was not worked off")
    return BURST / (time.monotonic() - began)


async def _wait_for(check: Any, trouble: str) -> None:
    until = time.monotonic() + SETTLE_S
    while await check():
        if time.monotonic() > until:
            raise TimeoutError(trouble)
        await asyncio.sleep(0.5)


async def _pending(client: httpx.AsyncClient, stage: Stage) -> bool:
    metrics = (await client.get(f"{stage.url('service')}/metrics")).text
    line = next(line for line in metrics.splitlines() if line.startswith("leadswitch_inbox_pending "))
    return float(line.split()[1]) > 0


async def kill_each(stage: Stage, first: int) -> int:
    """Kill each process of the service while leads come, from lead number `first` on; returns how many leads came."""
    made = 0
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for name in KILLED:
            for number in range(LEADS_A_KILL):
                await _make_lead(client, stage.url("crm"), profile(first + made)[1])
                made += 1
                await asyncio.sleep(0.1)
                if number == LEADS_A_KILL // 2:
                    pid = read_pid(stage.home / "service" / "run" / f"{name}.pid")
                    if pid is None:
                        raise RuntimeError(f"no {name} to kill")
                    os.kill(pid, signal.SIGKILL)
            await _wait_for(lambda: _away(client, stage), "the service did not come back")
    return made


async def _away(client: httpx.AsyncClient, stage: Stage) -> bool:
    try:
        return (await client.get(f"{stage.url('service')}/readyz")).status_code != 200
    except httpx.HTTPError:
        return True


def settle(witness: Witness, since: str, leads: int, patience_s: float = SETTLE_S) -> Evidence:
    """What is known once nothing is missing any more, or the time is up."""
    until = time.monotonic() + patience_s
    while True:
        evidence = witness.gather(since, leads, [])
        if judge(evidence).figures["lost"] == 0 or time.monotonic() > until:
            return evidence
        time.sleep(1.0)


def message_waits(evidence: Evidence) -> list[float]:
    """Seconds from the CRM's first delivery about a lead to its direct message, for those hot or warm at once."""
    sent: dict[str, float] = {}
    for row in evidence.ledgers["crm"]:
        if row["mark"] == GENUINE and row["first_at"] is not None:
            for subject in row["subjects"]:
                sent[subject] = min(sent.get(subject, row["first_at"]), row["first_at"])
    posted = {lead: message["posted_at"] for lead, destination, message in evidence.cards() if destination.startswith("dm:")}
    decided = {contact: decision for contact, decision in evidence.decisions.items() if decision["first_tier"] in ("A", "B")}
    return sorted(
        posted[decision["lead_id"]] - sent[contact] for contact, decision in decided.items() if decision["lead_id"] in posted
    )


def run(leads: int, events: int, rate: float, home: Path) -> dict[str, Any]:
    """One measurement in `home`."""
    stage = Stage(home, seed=11)
    mailer, typist = Mailer(f"{stage.url('service')}/webhooks/{SENDGRID}"), Typist(stage.url("slack"))
    try:
        stage.start_stand_ins(history=0)
        stage.secrets["SENDGRID_KEY"] = mailer.public_key
        stage.write_config(digest_minutes=1.0)
        stage.start_service()
        stage.leadswitch("connections", "test", HUBSPOT, "--mend", "--json")
        stage.leadswitch("connections", "backfill", HUBSPOT)
        since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        witness = Witness(stage.url("crm"), stage.url("mail"), stage.url("slack"), stage.url("service"), stage.api_token())
        took = asyncio.run(play(stage, mailer, typist, leads, events, rate))
        print(f"{leads} leads and {events} events sent in {took:.1f} s ({(leads + events) / took:.1f} a second)", flush=True)
        evidence = settle(witness, since, leads)
        figures = judge(evidence).figures
        waits = message_waits(evidence)
        tiers = Counter(decision["first_tier"] for decision in evidence.decisions.values())
        print(f"first tiers: {dict(sorted(tiers.items()))}; direct messages measured: {len(waits)}", flush=True)
        most = asyncio.run(burst(stage, mailer, leads))
        print(f"a burst of {BURST} events: {most:.0f} a second", flush=True)
        more = asyncio.run(kill_each(stage, leads))
        killed = judge(settle(witness, since, leads + more, AFTER_KILLS_S)).figures
        print(
            f"after killing {', '.join(KILLED)}: {more} more leads, lost {killed['lost']}, doubled {killed['doubled']}", flush=True
        )
        witness.close()
    finally:
        stage.children.end()
    return {
        "p50_s": round(statistics.median(waits), 3) if waits else None,
        "p95_s": _at(waits, 0.95, 3),
        "ack_p99_ms": _at(sorted(typist.ack_ms), 0.99, 1),
        "answer_p95_s": _at(typist.answers(evidence.messages), 0.95, 3),
        "duplicate_cards": killed["duplicate_cards"],
        "shared_messages": figures["shared_messages"],
        "lost_after_kills": killed["lost"],
        "commands": len(typist.typed),
        "commands_refused": typist.failed,
        "events_per_s_max": round(most, 1),
        "lost": figures["lost"],
        "doubled": figures["doubled"],
        "events_per_s": round((leads + events) / took, 1),
        "leads": len(evidence.decisions),
        "tiers": dict(sorted(tiers.items())),
        "messages": len(waits),
        "refused": sum(count for status, count in mailer.statuses.items() if status != 200),
    }


def _at(ordered: list[float], share: float, digits: int) -> float | None:
    """The value below which so large a share of the values is; None without values."""
    return round(ordered[min(len(ordered) - 1, round(share * len(ordered)))], digits) if ordered else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=500)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=50.0, help="leads and events a second, together")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="leadswitch-bench-"))
    try:
        figures = run(options.leads, options.events, options.rate, home)
    except BaseException:
        print(f"Logs and database are kept in {home}", file=sys.stderr)
        raise
    shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
