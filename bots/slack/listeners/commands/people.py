"""Which rep somebody means."""

from __future__ import annotations

from collections.abc import Sequence

from bots.slack.text import say
from bots.slack.visit import Visit
from connector.storage.reps import StoredRep


def one_rep(visit: Visit, wanted: str, *, active: bool = True) -> StoredRep | None:
    """The one rep who was meant; None after telling the person that there is none, or who fits."""
    fitting = find_reps([rep for rep in visit.house.reps.all() if rep.active or not active], wanted)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        visit.tell(
            f"No {'active ' if active else ''}rep is called {say(wanted, 100)}. Write a mention, an e-mail address or a name."
        )
        return None
    several = ", ".join(say(rep.name, 80) for rep in fitting[:10])
    visit.tell(f"Several reps fit {say(wanted, 100)}: {several}. Write the e-mail address.")
    return None


def find_reps(reps: Sequence[StoredRep], wanted: str) -> list[StoredRep]:
    """The reps meant by a Slack mention (@U123), an e-mail address, a whole name or words of one, the exact before the near."""
    word = wanted.strip().casefold()
    if not word.lstrip("@"):
        return []
    tests = (
        lambda rep: word == f"@{(rep.slack_user_id or '').casefold()}",
        lambda rep: word == (rep.email or "").casefold(),
        lambda rep: word.lstrip("@") == rep.name.casefold(),
        lambda rep: all(part in rep.name.casefold().split() for part in word.lstrip("@").split()),
    )
    for test in tests:
        fitting = [rep for rep in reps if test(rep)]
        if fitting:
            return fitting
    return []
