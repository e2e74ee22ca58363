"""Domains of addresses: whose they are, and which of them say nothing about a company."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import tldextract

_FREE: Final = """
gmail.com googlemail.com yahoo.com ymail.com rocketmail.com hotmail.com outlook.com live.com msn.com icloud.com me.com mac.com
aol.com aim.com proton.me protonmail.com pm.me gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de arcor.de
mail.com email.com usa.com fastmail.com fastmail.fm hey.com zoho.com zohomail.com yandex.com yandex.ru ya.ru mail.ru bk.ru
inbox.ru list.ru rambler.ru qq.com 163.com 126.com sina.com sohu.com foxmail.com naver.com daum.net hanmail.net orange.fr
wanadoo.fr free.fr laposte.net sfr.fr libero.it virgilio.it tiscali.it alice.it terra.com.br uol.com.br bol.com.br ig.com.br
rediffmail.com wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz abv.bg ukr.net comcast.net verizon.net att.net sbcglobal.net
bellsouth.net cox.net charter.net earthlink.net btinternet.com sky.com virginmedia.com ntlworld.com talktalk.net bigpond.com
optusnet.com.au shaw.ca rogers.com sympatico.ca tutanota.com tuta.io mailinator.com guerrillamail.com 10minutemail.com yopmail.com
trashmail.com
"""
#: Anybody can have an address there: such a domain never makes an account, and never makes two people colleagues.
FREE_MAIL: Final = frozenset(_FREE.split())
#: The same houses have a domain a country: yahoo.co.uk, hotmail.fr, live.nl, outlook.de, gmx.fr.
FREE_HOUSES: Final = frozenset({"yahoo", "hotmail", "live", "outlook", "gmx", "ymail", "aol", "yandex"})

_NETWORKS: Final = """
linkedin.com facebook.com fb.com instagram.com twitter.com x.com youtube.com tiktok.com xing.com pinterest.com threads.net
linktr.ee github.com gitlab.com google.com medium.com substack.com crunchbase.com yelp.com wa.me t.me bit.ly vk.com
"""
#: Many have a page there, which they note as their website.
NETWORKS: Final = frozenset(_NETWORKS.split())
#: What stands around the host in the address of a home page.
HOME_PAGE: Final = re.compile(r"^(https?://)?(www\.)?|/$")
#: Hosts whose owner is plain: below these nobody but the registry gives names (Public Suffix List, its official part).
PLAIN_HOST: Final = re.compile(r"([a-z0-9-]+)\.(com|net|org|de)", re.ASCII)
#: With the private part of the list, too: below uk.com or github.io everybody has a name of their own.
_extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def registered_domain(host: str) -> str:
    """The domain that somebody registered: "https://shop.acme.co.uk/x" → "acme.co.uk"; empty when there is none."""
    name, suffix = _parts(host.strip().casefold())
    return f"{name}.{suffix}" if name and suffix else ""


def site_domain(site: str) -> str:
    """The domain of whoever a site is about. A free-mail house's is nobody's, nor is a page on a network where many have one."""
    domain = registered_domain(site)
    page = domain in NETWORKS and HOME_PAGE.sub("", site.strip().casefold()) != domain
    return "" if page or is_free_mail(domain) else domain


def company_domain(email: str, site: str) -> str:
    """The domain of somebody's company: that of the address unless anybody can have one there, else that of the website."""
    host = email.partition("@")[2]
    return ("" if is_free_mail(host) else registered_domain(host)) or site_domain(site)


def is_free_mail(host: str) -> bool:
    """Whether anybody can have an address at this domain."""
    name, suffix = _parts(host.strip().casefold())
    return f"{name}.{suffix}" in FREE_MAIL or name in FREE_HOUSES


@lru_cache(maxsize=50_000)
def _parts(host: str) -> tuple[str, str]:
    """(name, public suffix) of a host."""
    if plain := PLAIN_HOST.fullmatch(host):
        return plain[1], plain[2]
    found = _extract(host)
    return found.domain, found.suffix
