"""The terminal while the campaign runs: what comes in, what becomes of it, and the newest alerts."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from connector.sandbox.show.witness import Witness
from connector.sandbox.world.team import team

Json = dict[str, Any]
TIER_STYLES = {"A": "bold red", "B": "yellow", "C": "cyan", "D": "dim"}


@dataclass
class Watch:
    """Keeps up with the stand-ins by asking for what has changed."""

    witness: Witness
    leads: int
    seconds: float
    desk: str
    contacts: dict[str, Json] = field(default_factory=dict)
    messages: dict[str, Json] = field(default_factory=dict)
    newest: deque[tuple[str, str, str]] = field(default_factory=lambda: deque(maxlen=8))
    crm: Json = field(default_factory=dict)
    mail: Json = field(default_factory=dict)
    crm_since: int = 0
    chat_since: int = 0
    tasks: int = 0
    moved_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.places = {f"D{member.slack_id[1:]}": member.name for member in team()}

    def refresh(self) -> None:
        """Ask what is new. Raises `httpx.HTTPError`."""
        self.crm, self.mail = self.witness.summaries()
        state = self.witness.get(f"{self.witness.crm}/sandbox/state", since=self.crm_since)
        chat = self.witness.get(f"{self.witness.slack}/sandbox/state", since=self.chat_since)
        told = [message for message in chat["messages"] if not message.get("thread_ts")]  # threads go on for a minute after
        if state["changes"] != self.crm_since or told:
            self.moved_at = time.monotonic()
        self.crm_since, self.chat_since = state["changes"], chat["changes"]
        self.tasks += len(state["tasks"])
        self.contacts.update({contact["id"]: contact for contact in state["contacts"]})
        self.places.update({channel["id"]: f"#{channel['name']}" for channel in chat["channels"] if channel.get("name")})
        for message in sorted(chat["messages"], key=lambda one: str(one["ts"])):
            if message["bot"] and message["ts"] not in self.messages and not message["only_for"]:
                at = time.strftime("%H:%M:%S", time.localtime(float(message["ts"])))
                self.newest.append((at, self.places.get(message["channel"], message["channel"]), _first_line(message)))
            self.messages[message["ts"]] = message

    @property
    def played(self) -> bool:
        """Everything of the campaign was sent and answered."""
        return bool(self.crm.get("finished") and self.mail.get("finished") and self.crm.get("idle") and self.mail.get("idle"))

    def quiet_for(self, seconds: float) -> bool:
        """Nothing has changed in the CRM and the chat for so long."""
        return time.monotonic() - self.moved_at >= seconds

    # ---- drawing
    def picture(self) -> Group:
        """The whole view."""
        share = min(1.0, len(self.contacts) / self.leads)
        head = Table.grid(expand=True, padding=(0, 1))
        head.add_column(width=28)
        head.add_column(ratio=1)
        head.add_row(Text(f"{len(self.contacts)} of {self.leads} leads", style="bold"), ProgressBar(total=1.0, completed=share))
        row = Table.grid(expand=True, padding=(0, 1))
        for _ in range(3):
            row.add_column(ratio=1)
        row.add_row(self._sources(), self._crm_panel(), self._chat_panel())
        return Group(head, row, self._alerts(), Text(f" Desk: {self.desk}   (CRM and Slack, clickable)", style="bold blue"))

    def _sources(self) -> Panel:
        table = _figures()
        for title, summary in (("CRM", self.crm), ("e-mail", self.mail)):
            marks = (summary.get("ledger") or {}).get("marks") or {}
            table.add_row(f"{title} events", f"{(marks.get('genuine') or {}).get('events', 0):,}")
            table.add_row(f"{title} deliveries repeated", f"{(marks.get('repeat') or {}).get('deliveries', 0):,}")
            refused = sum((marks.get(mark) or {}).get("refused", 0) for mark in ("forged", "stale"))
            table.add_row(f"{title} forged, refused", f"{refused:,}", style="red" if refused else "")
        return Panel(table, title="webhooks sent", border_style="dim")

    def _crm_panel(self) -> Panel:
        tiers = Counter((contact["properties"].get("leadswitch_tier") or "").upper() for contact in self.contacts.values())
        owned = sum("hubspot_owner_id" in contact["properties"] for contact in self.contacts.values())
        table = _figures()
        table.add_row("owner written", f"{owned:,}")
        table.add_row("tasks", f"{self.tasks:,}")
        for tier, style in TIER_STYLES.items():
            table.add_row(Text(f"tier {tier}", style=style), f"{tiers.get(tier, 0):,}")
        return Panel(table, title="CRM", border_style="dim")

    def _chat_panel(self) -> Panel:
        kinds = Counter((message.get("metadata") or {}).get("event_type", "") for message in self.messages.values())
        cards = [m for m in self.messages.values() if (m.get("metadata") or {}).get("event_type") == "leadswitch_card"]
        table = _figures()
        table.add_row("cards to reps", f"{sum(m['channel'].startswith('D') for m in cards):,}")
        table.add_row("cards in channels", f"{sum(not m['channel'].startswith('D') for m in cards):,}")
        table.add_row("cards edited", f"{sum(m['edits'] > 0 for m in cards):,}")
        table.add_row("digests", f"{kinds['leadswitch_digest']:,}")
        return Panel(table, title="Slack", border_style="dim")

    def _alerts(self) -> Panel:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(width=8, style="dim")
        table.add_column(width=18, style="cyan", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for at, place, text in self.newest:
            table.add_row(at, Text(place), Text(text))
        for _ in range(8 - len(self.newest)):
            table.add_row("", "", "")
        return Panel(table, title="newest alerts", border_style="dim")

    def line(self) -> str:
        """The same in one line, for where there is no terminal."""
        sent = sum(((s.get("ledger") or {}).get("marks") or {}).get("genuine", {}).get("events", 0) for s in (self.crm, self.mail))
        owned = sum("hubspot_owner_id" in contact["properties"] for contact in self.contacts.values())
        cards = sum((m.get("metadata") or {}).get("event_type") == "leadswitch_card" for m in self.messages.values())
        return f"{len(self.contacts)}/{self.leads} leads, {sent:,} events sent, {owned} owned, {self.tasks} tasks, {cards} cards"


def _figures() -> Table:
    table = Table.grid(expand=True)
    table.add_column()
    table.add_column(justify="right")
    return table


def _first_line(message: Json) -> str:
    text = message.get("text") or ""
    for block in message.get("blocks") or []:
        if block["type"] == "header":
            text = block["text"]["text"]
            break
    return "".join(letter if letter.isprintable() else " " for letter in text[:120])


def watch_until_played(watch: Watch, console: Console, limit_s: float) -> None:
    """Show the campaign until all of it was sent and answered. Gives up silently after `limit_s`: the table will tell."""
    until = time.monotonic() + limit_s
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            while time.monotonic() < until and not watch.played:
                _refresh(watch)
                live.update(watch.picture())
                time.sleep(0.5)
        return
    said = 0.0
    while time.monotonic() < until and not watch.played:
        _refresh(watch)
        if time.monotonic() - said > 10:
            said = time.monotonic()
            console.print(f"  {watch.line()}", highlight=False)
        time.sleep(0.5)


def _refresh(watch: Watch) -> None:
    try:
        watch.refresh()
    except httpx.HTTPError:
        return  # the next turn asks again; a stand-in that is gone shows in the closing table
