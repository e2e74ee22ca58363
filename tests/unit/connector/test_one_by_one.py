"""Row by row: one bad row stops nothing, a CRM in a bad moment is left alone, and no batch outlasts its lease."""

from __future__ import annotations

from connector.errors import Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.one_by_one import AGAIN_S, write_each
from connector.ports import Written
from connector.testing import StandingClock


def test_an_error_stays_its_rows_own() -> None:
    def write(row: int) -> Written:
        if row == 1:
            raise Fatal("no")
        if row == 2:
            raise Skippable("gone")
        return Written(True, receipt=str(row))

    done = write_each([0, 1, 2, 3], write, StandingClock())
    assert [one.receipt for one in done] == ["0", None, None, "3"]
    assert [type(one.error) for one in done] == [type(None), Fatal, Skippable, type(None)]


def test_after_a_bad_moment_nothing_more_is_sent() -> None:
    sent = []

    def write(row: int) -> Written:
        sent.append(row)
        raise Unsure("lost", 7.0)

    done = write_each([0, 1, 2], write, StandingClock())
    assert sent == [0]
    assert [type(one.error) for one in done] == [Unsure, Retriable, Retriable], "what was not sent is in no doubt"
    assert [one.error.delay_s for one in done if isinstance(one.error, Retriable)] == [7.0, 7.0, 7.0]


def test_a_slow_batch_is_cut_short() -> None:
    clock = StandingClock()

    def write(row: int) -> Written:
        clock.move(20)
        return Written(True)

    done = write_each([0, 1, 2, 3], write, clock)
    assert [one.ok for one in done] == [True, True, False, False]
    assert isinstance(done[3].error, Retriable)
    assert done[3].error.delay_s == AGAIN_S
