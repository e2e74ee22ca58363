"""Writing row by row, for CRMs that take no batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from connector.clock import Clock
from connector.errors import LeadswitchError, Retriable
from connector.ports import Written

T = TypeVar("T")

#: A batch that takes longer is cut short: whoever holds its rows holds them for a minute and a half.
LONGEST: Final = timedelta(seconds=30)
#: When the rest of a batch that was cut short is asked for again.
AGAIN_S: Final = 1.0


def write_each(writes: Sequence[T], write: Callable[[T], Written], clock: Clock) -> list[Written]:
    """What came of each write; its error stays its own.

    After a `Retriable` the CRM is not asked on in its bad moment: what was not sent yet is to be tried later, and so is what comes
    after `LONGEST`.
    """
    done: list[Written] = []
    stopped: Retriable | None = None
    until = clock.now() + LONGEST
    for one in writes:
        if stopped is None and done and clock.now() >= until:
            stopped = Retriable("Put off: the CRM takes its time.", AGAIN_S)
        try:
            done.append(Written(False, error=stopped) if stopped else write(one))
        except LeadswitchError as error:
            done.append(Written(False, error=error))
            if isinstance(error, Retriable):
                stopped = Retriable(str(error), error.delay_s)  # whatever the first was: these were surely not sent
    return done
