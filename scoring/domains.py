"""What an e-mail domain says about its owner."""

from __future__ import annotations

from functools import lru_cache
from typing import Final


def _words(text: str) -> list[str]:
    return text.split()


FREE: Final = frozenset(
    _words(
        "gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.co.in yahoo.fr yahoo.de ymail.com hotmail.com "
        "hotmail.co.uk hotmail.fr outlook.com outlook.de live.com live.co.uk msn.com icloud.com me.com mac.com aol.com "
        "aim.com gmx.com gmx.de gmx.net web.de t-online.de freenet.de mail.com mail.ru yandex.ru yandex.com proton.me "
        "protonmail.com zoho.com zohomail.com fastmail.com hey.com tutanota.com rediffmail.com qq.com 163.com 126.com "
        "naver.com orange.fr wanadoo.fr free.fr laposte.net libero.it virgilio.it uol.com.br bol.com.br terra.com.br "
        "comcast.net verizon.net att.net sbcglobal.net cox.net btinternet.com sky.com bigpond.com seznam.cz wp.pl o2.pl "
        "gmx.ch"
    )
)

DISPOSABLE: Final = frozenset(
    _words(
        "mailinator.com guerrillamail.com 10minutemail.com tempmail.com temp-mail.org yopmail.com trashmail.com "
        "sharklasers.com getnada.com throwawaymail.com maildrop.cc dispostable.com fakeinbox.com mintemail.com"
    )
)

ROLES: Final = frozenset(_words("info sales support contact office admin hello team mail marketing billing accounts help service"))


@lru_cache(maxsize=4096)
def read_kind(domain: str) -> str:
    """ "free", "disposable", "education", "government" or "business"."""
    if domain in FREE:
        return "free"
    if domain in DISPOSABLE:
        return "disposable"
    labels = domain.split(".")
    if "edu" in labels or ("ac" in labels[-2:] and len(labels) > 2):
        return "education"
    if {"gov", "gouv", "gob", "mil"} & set(labels):
        return "government"
    return "business"
