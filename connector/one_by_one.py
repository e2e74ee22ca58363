"""Writing row by row, for CRMs that take no batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from connector.errors import LeadswitchError, Retriable
from connector.ports import Written

T = TypeVar("T")


def write_each(writes: Sequence[T], write: Callable[[T], Written]) -> list[Written]:
    """What came of each write; its error stays its own.

    After a `Retriable` the CRM is not asked on in its bad moment: what was not sent yet is to be tried later.
    """
    done: list[Written] = []
    stopped: Retriable | None = None
    for one in writes:
        try:
            done.append(Written(False, error=stopped) if stopped else write(one))
        except LeadswitchError as error:
            done.append(Written(False, error=error))
            if isinstance(error, Retriable):
                stopped = Retriable(str(error), error.delay_s)  # whatever the first was: these were surely not sent
    return done
