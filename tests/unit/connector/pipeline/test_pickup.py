"""Files left in a folder: read when they are written, put away with what came of them, and never lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline import pickup
from connector.pipeline.import_map import ImportMap
from connector.pipeline.importing import ImportReport
from connector.pipeline.pickup import LEASE, LEASE_S, pick_up, ring_pickup
from connector.schedule import chores
from connector.testing import NOON, RecordingBell, StandingClock
from connector.testing import house as build_house

MAP = 'connection = "fair"\nexternal_id = "Id"\n[fields]\nemail = "Mail"\n'


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    made = tmp_path / "inbox"
    made.mkdir()
    return made


@pytest.fixture
def house(tmp_path: Path, inbox: Path) -> Iterator[House]:
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    built = build_house(tmp_path, pickup={"folder": str(inbox), "map": str(tmp_path / "map.toml")})
    yield built
    built.close()


def leave(inbox: Path, name: str, text: str | bytes, age_s: float = 60.0) -> Path:
    """A file whose last change was so long before NOON."""
    file = inbox / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    moment = NOON.timestamp() - age_s
    os.utime(file, (moment, moment))
    return file


def lying(inbox: Path) -> list[str]:
    return sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())


def email_of(house: House, external_id: str) -> object:
    lead_id = house.leads.find_external("fair", external_id)
    lead = house.leads.get(lead_id) if lead_id else None
    return lead.fields["email"] if lead else None


def test_a_file_is_taken_in_and_put_away(house: House, inbox: Path) -> None:
    leave(inbox, "monday.csv", "Id,Mail\n1,ada@corp.example\n2,bo@corp.example\n")
    assert ring_pickup(house) == 1
    assert cast(RecordingBell, house.queue).rung == [("pickup", (0,))]
    assert pick_up(house) == [inbox / "done" / "monday.csv"]
    assert lying(inbox) == ["done/monday.csv"]
    assert (email_of(house, "1"), email_of(house, "2")) == ("ada@corp.example", "bo@corp.example")
    assert ring_pickup(house) == 0
    assert pick_up(house) == []


def test_what_is_still_being_written_is_left_alone(house: House, inbox: Path) -> None:
    leave(inbox, "now.csv", "Id,Mail\n1,ada@corp.example\n", age_s=9)
    assert ring_pickup(house) == 0
    assert pick_up(house) == []
    cast(StandingClock, house.clock).move(1)
    assert pick_up(house) == [inbox / "done" / "now.csv"]


def test_what_grew_while_it_was_read_is_read_again(house: House, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = leave(inbox, "slow.csv", "Id,Mail\n1,ada@corp.example\n")
    real = pickup.run

    def read_and_write(house: House, file: Path, mapping: ImportMap) -> ImportReport:
        report = real(house, file, mapping)
        with file.open("a", encoding="utf-8") as handle:
            handle.write("2,bo@corp.example\n")
        return report

    monkeypatch.setattr(pickup, "run", read_and_write)
    assert pick_up(house) == []
    assert lying(inbox) == ["slow.csv"]
    monkeypatch.setattr(pickup, "run", real)
    leave(inbox, "slow.csv", file.read_bytes())
    assert pick_up(house) == [inbox / "done" / "slow.csv"]
    assert email_of(house, "2") == "bo@corp.example"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Number,Mail\n1,ada@corp.example\n", "bad.csv has no column 'Id'."),
        (b"Id,Mail\n1,\xff\xfe\n", "bad.csv is not UTF-8."),
        ("", "bad.csv has no column 'Id'."),
    ],
)
def test_a_bad_file_is_put_away_with_its_reason_and_holds_up_no_other(
    house: House, inbox: Path, text: str | bytes, reason: str
) -> None:
    leave(inbox, "bad.csv", text)
    leave(inbox, "good.csv", "Id,Mail\n1,ada@corp.example\n")
    assert pick_up(house) == [inbox / "failed" / "bad.csv", inbox / "done" / "good.csv"]
    assert lying(inbox) == ["done/good.csv", "failed/bad.csv", "failed/bad.csv.reason.txt"]
    assert (inbox / "failed" / "bad.csv.reason.txt").read_text(encoding="utf-8").startswith(reason)


def test_rows_that_were_set_aside_lie_under_failed_and_the_file_under_done(house: House, inbox: Path) -> None:
    leave(inbox, "some.csv", "Id,Mail\n1,ada@corp.example\n,bo@corp.example\n")
    leave(inbox, "none.csv", "Id,Mail\n,ada@corp.example\n")
    pick_up(house)
    assert lying(inbox) == [
        "done/some.csv",
        "failed/none.csv",
        "failed/none.csv.reason.txt",
        "failed/none.errors.csv",
        "failed/some.errors.csv",
    ]
    assert "Id is empty" in (inbox / "failed" / "some.errors.csv").read_text(encoding="utf-8")


def test_a_name_that_is_taken_loses_nothing(house: House, inbox: Path) -> None:
    for number in range(3):
        leave(inbox, "daily.csv", f"Id,Mail\n{number},a{number}@corp.example\n")
        pick_up(house)
    assert lying(inbox) == ["done/20260302T120000Z-1-daily.csv", "done/20260302T120000Z-2-daily.csv", "done/daily.csv"]


def test_only_csv_files_of_the_folder_itself(house: House, inbox: Path, tmp_path: Path) -> None:
    for name in (".hidden.csv", "leads.csv.part", "notes.txt", "leads.errors.csv"):
        leave(inbox, name, "Id,Mail\n1,ada@corp.example\n")
    elsewhere = leave(tmp_path, "secret.csv", "Id,Mail\n1,ada@corp.example\n")
    (inbox / "link.csv").symlink_to(elsewhere)
    (inbox / "folder.csv").mkdir()
    assert pick_up(house) == []
    assert ring_pickup(house) == 0


def test_a_folder_that_may_not_be_written_is_said_and_the_file_stays(house: House, inbox: Path) -> None:
    leave(inbox, "monday.csv", "Id,Mail\n1,ada@corp.example\n")
    (inbox / "done").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(Configuration, match="cannot be read or moved"):
        pick_up(house)
    assert lying(inbox) == ["done", "monday.csv"]


def test_one_process_at_a_time(house: House, inbox: Path) -> None:
    leave(inbox, "monday.csv", "Id,Mail\n1,ada@corp.example\n")
    assert house.cells.lease(LEASE, "another", LEASE_S)
    assert pick_up(house) == []
    cast(StandingClock, house.clock).move(LEASE_S + 1)
    assert len(pick_up(house)) == 1


def test_a_wrong_map_or_folder_touches_no_file(house: House, inbox: Path, tmp_path: Path) -> None:
    leave(inbox, "monday.csv", "Id,Mail\n1,ada@corp.example\n")
    (tmp_path / "map.toml").write_text("id = 1\n", encoding="utf-8")
    with pytest.raises(Configuration, match="unknown key"):
        pick_up(house)
    assert lying(inbox) == ["monday.csv"]
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    assert len(pick_up(house)) == 1, "the lease was given back"
    inbox.rename(tmp_path / "gone")
    with pytest.raises(Configuration, match="cannot be read"):
        ring_pickup(house)


def test_the_clock_looks_as_often_as_is_set_and_not_without_a_folder(house: House, tmp_path: Path) -> None:
    assert [chore.every_s for chore in chores(house) if chore.name == "pickup"] == [60.0]
    (tmp_path / "other").mkdir()
    plain = build_house(tmp_path / "other")
    assert [chore for chore in chores(plain) if chore.name == "pickup"] == []
    plain.close()
