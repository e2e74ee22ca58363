"""Opens, clicks and visits that no person made: mail privacy prefetch, security scanners, link previews, crawlers.

An act is kept either way; one made by a machine counts nothing. A doubtful one is a person's: losing a real click costs more than
counting a false one. Sources: Apple's "Mail Privacy Protection" (every image is fetched by Apple, under the bare user agent
`Mozilla/5.0`, at or soon after delivery); the vendors' published address lists named beside each network; the user agents that link
previews and HTTP libraries send by default. Gmail's and Yahoo's image proxies fetch when a person looks, so they are people.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from leads.enums import EngagementKind

#: Only these can be a machine's doing in the person's name.
IMITABLE: Final = frozenset(
    {
        EngagementKind.EMAIL_OPENED,
        EngagementKind.EMAIL_CLICKED,
        EngagementKind.PAGE_VIEWED,
        EngagementKind.CONTENT_DOWNLOADED,
        EngagementKind.VIDEO_WATCHED,
    }
)
#: Whole user agents: what Apple's prefetch says, and what says nothing more.
BARE_AGENTS: Final = frozenset({"mozilla/5.0", "mozilla/4.0", "mozilla"})
#: Words of programs that fetch without being looked at. Each begins a word, except the crawlers' "bot" endings.
AGENT_WORDS: Final = re.compile(
    r"bot\b|bot[/_;\-]|crawl|spider|slurp|preview|headless|phantomjs|puppeteer|playwright|selenium|lighthouse"
    r"|\bcurl/|\bwget/|python|go-http-client|\bjava/|libwww|apache-httpclient|okhttp|node-fetch|axios|undici|guzzle|httpx|aiohttp"
    r"|\bruby\b|\bperl\b|winhttp|powershell|postman"
    r"|barracuda|proofpoint|mimecast|messagelabs|symantec|fireeye|trellix|ironport|forcepoint|sophos|trendmicro|trend micro"
    r"|cloudmark|checkpoint|safelinks|linkcheck|link.?scan|urlscan|urldefense|virustotal|security.?scan|mailscanner|spamassassin"
    r"|facebookexternalhit|facebookcatalog|whatsapp/|skypeuripreview|embedly|pinterest/|google-safety|google-read-aloud"
    r"|office existence discovery",
    re.IGNORECASE,
)
#: Words that hold one of the above and are a person's all the same: phones and mail programs.
PEOPLES_WORDS: Final = re.compile(r"cubot|ggpht\.com googleimageproxy|yahoomailproxy", re.IGNORECASE)
#: Networks from which scanners and prefetch come, and no person's browser.
NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "17.0.0.0/8",  # Apple: the mail privacy proxies inside its own network
        "40.92.0.0/15",  # Microsoft: Exchange Online Protection, as listed for Microsoft 365
        "40.94.0.0/16",  # Microsoft: the detonation of Safe Links
        "40.107.0.0/16",  # Microsoft: Exchange Online Protection
        "52.100.0.0/14",  # Microsoft: Exchange Online Protection
        "104.47.0.0/17",  # Microsoft: Exchange Online Protection
        "64.235.144.0/20",  # Barracuda: Email Security Service
        "209.222.80.0/21",  # Barracuda: Email Security Service
        "67.231.144.0/20",  # Proofpoint
        "148.163.128.0/19",  # Proofpoint
        "207.211.30.0/23",  # Mimecast
        "205.139.110.0/23",  # Mimecast
        "170.10.128.0/20",  # Mimecast
    )
)
#: Nobody reads and clicks so soon after the mail reached the server; scanners click before the person sees it.
TOO_SOON: Final = {EngagementKind.EMAIL_CLICKED: timedelta(seconds=5), EngagementKind.EMAIL_OPENED: timedelta(seconds=2)}
#: So many different links of one message within so short a time are followed by a program.
LINKS_AT_ONCE: Final = 3
AT_ONCE: Final = timedelta(seconds=3)
#: How far around an act the other acts on its message can matter.
REACH: Final = max(AT_ONCE, *TOO_SOON.values())


def is_machine(kind: EngagementKind, user_agent: object = None, address: object = None) -> bool:
    """Whether what the vendor tells of the client says that no person did this. What is missing says nothing."""
    if kind not in IMITABLE:
        return False
    return _is_program(str(user_agent or "")[:500].strip()) or _is_scanners(str(address or "")[:64].strip())


@lru_cache(maxsize=4096)
def _is_program(user_agent: str) -> bool:
    if not user_agent or PEOPLES_WORDS.search(user_agent):
        return False
    return user_agent.lower() in BARE_AGENTS or AGENT_WORDS.search(user_agent) is not None


@lru_cache(maxsize=4096)
def _is_scanners(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # missing, masked or malformed: says nothing
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in NETWORKS)


@dataclass(frozen=True, slots=True)
class Act:
    """One act on a message, as far as its timing matters. `message` and `link` are None where the vendor does not tell."""

    kind: EngagementKind
    occurred_at: datetime
    message: str | None = None
    link: str | None = None


def untimely(acts: Sequence[Act]) -> set[int]:
    """The places in `acts` (of one person, in any order) of opens and clicks that came too soon or too many at once.

    Delivery moments of whole seconds are enough: the thresholds are seconds apart from what people do.
    """
    by_message: dict[str, list[int]] = defaultdict(list)
    for place, act in enumerate(acts):
        if act.message is not None:
            by_message[act.message].append(place)
    return {place for places in by_message.values() for place in _untimely_of_one(acts, places)}


def _untimely_of_one(acts: Sequence[Act], places: Sequence[int]) -> Iterator[int]:
    delivered = [acts[place].occurred_at for place in places if acts[place].kind is EngagementKind.EMAIL_DELIVERED]
    clicks = [place for place in places if acts[place].kind is EngagementKind.EMAIL_CLICKED]
    clicks.sort(key=lambda place: acts[place].occurred_at)
    for place in places:
        soon = TOO_SOON.get(acts[place].kind)
        if soon is not None and any(timedelta(0) <= acts[place].occurred_at - moment < soon for moment in delivered):
            yield place
    for first in range(len(clicks)):
        burst = [place for place in clicks[first:] if acts[place].occurred_at - acts[clicks[first]].occurred_at <= AT_ONCE]
        if len({acts[place].link for place in burst} - {None}) >= LINKS_AT_ONCE:
            yield from burst
