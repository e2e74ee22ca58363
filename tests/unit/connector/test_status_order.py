"""Which lead status may be written over which."""

from __future__ import annotations

import pytest

from leads.enums import STATUS_ORDER, may_follow


@pytest.mark.parametrize("wanted", STATUS_ORDER)
def test_anything_follows_nothing(wanted: str) -> None:
    assert may_follow(wanted, None)
    assert may_follow(wanted, "")


@pytest.mark.parametrize("wanted", STATUS_ORDER)
def test_nothing_is_written_over_itself_or_a_word_of_the_tenants_own(wanted: str) -> None:
    assert not may_follow(wanted, wanted)
    assert not may_follow(wanted, "nurture")
    assert not may_follow("nurture", wanted)


def test_forwards_and_never_backwards() -> None:
    assert may_follow("connected", "attempted_to_contact")
    assert not may_follow("attempted_to_contact", "connected")
    assert may_follow("unqualified", "open")
    assert not may_follow("connected", "unqualified")


def test_what_was_given_up_may_be_taken_up_again_and_nothing_else() -> None:
    assert [one for one in STATUS_ORDER if may_follow("open", one)] == ["unqualified"]
