"""Files as people have them: odd encodings, odd cells, missing columns. A bad row is set aside with its reason, the rest go in."""

from __future__ import annotations

import csv
import gzip
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline import importing
from connector.pipeline.import_chunk import SPACING, ReadRow, store
from connector.pipeline.import_map import ImportMap, read_mapping
from connector.pipeline.importing import ImportReport, run
from connector.storage.newcomers import Newcomers
from connector.testing import NOON
from leads.enums import Outcome
from tests.unit.connector.pipeline.scripted import CRM, Desk, as_json, change, open_desk

MAP = ImportMap(
    "import",
    "Id",
    fields={"email": "Mail", "first_name": "Name", "country": "Land"},
    extra=("Visits",),
    outcome="Won",
    won=frozenset({"1"}),
    lost=frozenset({"0"}),
    missing=frozenset({"", "Select"}),
)
HEADINGS = "Id,Mail,Name,Land,Visits,Won"


def bring(desk: Desk, text: str | bytes, mapping: ImportMap = MAP, name: str = "leads.csv") -> ImportReport:
    file = desk.house.settings.home / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run(desk.house, file, mapping)


def rows(*lines: str) -> str:
    return "\r\n".join((HEADINGS, *lines)) + "\r\n"


def fields_of(desk: Desk, external_id: str) -> dict[str, object]:
    found = desk.house.leads.find_external("import", external_id)
    assert found is not None
    lead = desk.house.leads.get(found)
    assert lead is not None
    return {**lead.fields, **lead.extra}


def test_rows_become_leads_with_their_own_columns_and_how_they_ended(desk: Desk) -> None:
    report = bring(desk, rows("a,Ann@Corp.example,Ann,DE,3,1", "b,,Select,FR,2.5,0", "c,bo@corp.example,Bo,,x,"))
    assert report == ImportReport(3, 3, 0, 0, None)
    assert fields_of(desk, "a") == {"email": "ann@corp.example", "first_name": "Ann", "country": "DE", "Visits": 3}
    assert fields_of(desk, "b")["Visits"] == 2.5
    assert fields_of(desk, "b")["first_name"] is None
    assert fields_of(desk, "c")["Visits"] == "x"
    assert sorted(outcome for _, _, outcome, _ in desk.house.histories.outcomes()) == [Outcome.LOST, Outcome.WON]
    desk.run()
    assert desk.house.decisions.open_counts() == {}, "history is not routed"


def test_a_second_import_of_the_same_file_changes_nothing(desk: Desk) -> None:
    text = rows("a,ann@corp.example,Ann,DE,3,1", "b,bo@corp.example,Bo,FR,2,0")
    bring(desk, text)
    desk.clock.move(60)
    assert bring(desk, text) == ImportReport(2, 0, 0, 0, None)
    report = bring(desk, text.replace("Ann", "Anna"))
    assert (report.created, report.changed) == (0, 1)


@pytest.mark.parametrize(
    "packed",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.replace("\r\n", "\n").encode(),
        lambda text: text.rstrip().encode(),
    ],
    ids=["byte-order mark", "gzip", "unix lines", "no last line end"],
)
def test_files_as_programs_write_them(desk: Desk, packed) -> None:  # type: ignore[no-untyped-def]
    report = bring(desk, packed(rows("a,ann@corp.example,Zoë,DE,3,1", 'b,bo@corp.example,"Bo, ""B""\nLee",FR,2,0')))
    assert (report.created, report.failed) == (2, 0)
    assert fields_of(desk, "a")["first_name"] == "Zoë"
    assert str(fields_of(desk, "b")["first_name"]).startswith('Bo, "B"')


def test_a_bad_row_is_set_aside_and_what_a_spreadsheet_would_run_is_quoted(desk: Desk) -> None:
    report = bring(
        desk,
        rows(
            "a,ann@corp.example,Ann,DE,3,1",
            ",=cmd|' /C calc'!A0,@SUM(A1),-1-1,+1,1",
            "b,too,few",
            "c,x,x,x,1,0,too,many",
            "d,d@corp.example,D,DE,1,maybe",
            "e,e@corp.example,E,DE,1,0",
        ),
    )
    assert (report.rows, report.created, report.failed) == (6, 2, 4)
    with Path(report.errors_file or "").open(encoding="utf-8", newline="") as text:
        errors = list(csv.reader(text))
    assert [(line[0], line[1]) for line in errors[1:]] == [
        ("3", "Id is empty"),
        ("4", "fewer cells than headings"),
        ("5", "more cells than headings"),
        ("6", "Won holds a word that is neither won nor lost"),
    ]
    assert [cell[0] for cell in errors[1][3:6]] == ["'", "'", "'"]


HOSTILE = ["=1+1", "<script>", "A" * 10_000, "a\x00b", "'; DROP TABLE lead; --", "‮"]


@pytest.mark.parametrize("cell", HOSTILE, ids=lambda cell: repr(cell)[:12])
def test_any_cell_is_data(desk: Desk, cell: str) -> None:
    report = bring(desk, rows(f'"a{cell}","{cell}","{cell}","{cell}","{cell}",1', "b,b@corp.example,B,DE,1,0"))
    assert (report.created, report.failed) == (2, 0)
    assert desk.house.leads.count() == 2


def test_a_cell_that_no_program_takes_is_a_clear_error(desk: Desk) -> None:
    with pytest.raises(Configuration, match=r"leads\.csv"):
        bring(desk, rows(f"a,a@corp.example,{'x' * 200_000},DE,1,0", "b,b@corp.example,B,DE,1,0"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Id,Mail\na,b\n", "'Won'"),
        ("Id,Id,Mail,Name,Land,Visits,Won\n", "stands twice"),
        ("", "has no column"),
        (rows().encode("utf-16"), "UTF-8"),
        (b"Id,Mail,Name,Land,Visits,Won\na,\xff\xfe,x,x,1,1\n", "UTF-8"),
        (gzip.compress(rows("a,b,c,d,1,1").encode())[:-12], "cut short"),
        (b"\x1f\x8bnot gzip at all", "not gzip"),
    ],
    ids=["missing", "twice", "empty", "utf-16", "latin", "gzip cut short", "no gzip"],
)
def test_a_file_that_cannot_be_read_is_one_clear_line(desk: Desk, text: str | bytes, what: str) -> None:
    with pytest.raises(Configuration, match=what):
        bring(desk, text)


def test_dates_are_taken_where_there_are_any_and_else_laid_out_in_order(desk: Desk) -> None:
    dated = ImportMap("import", "Id", created_at="Made")
    report = bring(desk, "Id,Made\na,2026-01-02\nb,2026-01-02T10:00:00+01:00\nc,2nd of May\n", dated)
    assert (report.created, report.failed) == (2, 1)
    made = {one: desk.house.leads.get(desk.house.leads.find_external("import", one) or 0) for one in ("a", "b")}
    assert [lead.created_at for lead in made.values() if lead] == [
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(2026, 1, 2, 9, tzinfo=UTC),
    ]
    ordered = ImportMap("import", "Id", order="Number")
    bring(desk, "Id,Number\nx,10\ny,9\nz,100\n", ordered, "other.csv")
    found = [desk.house.leads.get(desk.house.leads.find_external("import", one) or 0) for one in ("y", "x", "z")]
    times = [lead.created_at for lead in found if lead]
    assert times == sorted(times)
    assert len(set(times)) == 3
    assert max(times) < NOON


def test_an_outcome_comes_after_the_lead(desk: Desk) -> None:
    """Or training would look at a lead when its end was known already."""
    bring(desk, rows(*(f"p{number},,A,DE,1,{number % 2}" for number in range(10))))
    for _, created, _, ended in desk.house.histories.outcomes():
        assert ended - created >= timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("external_id = 1", "external_id"),
        ("", "external_id"),
        ('external_id = "Id"\nfoo = 1', "foo"),
        ('external_id = "Id"\n[fields]\nshoe_size = "S"', "shoe_size"),
        ("external_id = ", "map.toml"),
        ('external_id = "Id"\nfields = 3', r"fields: "),
        ('external_id = "Id"\n[fields]\nemail = 3', r"fields\.email: "),
        ('external_id = "Id"\noutcome = "Won"', r"outcome: "),
        ('external_id = "Id"\n[outcome]\ncolum = "Won"', r"outcome\.colum\w*: "),
        ('external_id = "Id"\n[outcome]\nwon = 1', r"outcome\.column: "),
        ('external_id = "Id"\nextra = "Visits"', r"extra: "),
        ('external_id = "Id"\ncreated_at = 5', r"created_at: "),
        ('external_id = "Id"\nconnection = 5', r"connection: "),
    ],
)
def test_a_wrong_map_names_the_key(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(Configuration, match=what):
        read_mapping(file)


def test_a_map_reads_as_written(tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text(
        'external_id = "Id"\nextra = ["V"]\n[fields]\nemail = "Mail"\n[outcome]\ncolumn = "Won"\nwon = 1\nlost = [0, "no"]\n'
    )
    read = read_mapping(file, "crm")
    assert (read.connection, read.fields, read.extra, read.outcome) == ("crm", {"email": "Mail"}, ("V",), "Won")
    assert (read.won, read.lost, read.missing) == ({"1"}, {"0", "no"}, {""})


def test_a_lead_that_somebody_holds_and_that_the_file_says_was_won_is_let_go(desk: Desk) -> None:
    desk.tell(CRM, change("1", NOON - timedelta(days=9), email="ann@corp.example"))
    desk.run()
    assert sum(desk.house.decisions.open_counts().values()) == 1
    bring(desk, rows("a,ann@corp.example,Ann,DE,3,1"))
    assert desk.house.decisions.open_counts() == {}


PEOPLE = ImportMap(
    "import",
    "Id",
    fields={"email": "Mail", "phone": "Phone", "first_name": "First", "last_name": "Last", "company": "Firm", "country": "Land"},
    extra=("Visits",),
    created_at="Made",
    outcome="Won",
    won=frozenset({"1"}),
    lost=frozenset({"0"}),
)
PEOPLE_HEADINGS = "Id,Mail,Phone,First,Last,Firm,Land,Visits,Made,Won"
WORD = st.sampled_from(["", "Ann", "Berger", "Bergr", "Acme AG", "Acme", "DE", "Zoë", "x" * 600, "=1+1", "+49 30 123456"])
PERSON = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(["", "ann@acme.example", "Ann@acme.example", "bo@acme.example", "bo@gmail.com", "no address"]),
    st.sampled_from(["", "+49301234567", "030 1234567"]),
    *[WORD] * 3,
    st.sampled_from(["", "DE"]),
    st.sampled_from(["", "3", "2.5", "many"]),
    st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-02T10:00:00+02:00"]),
    st.sampled_from(["", "0", "1"]),
)


def told(desk: Desk) -> list[str]:
    """Everybody that is known, by what an import can say of them."""
    everybody = {lead.id: lead for number in range(1, 20) if (lead := desk.house.leads.get(number))}
    return sorted(
        as_json([lead.external_id, dict(lead.fields), dict(lead.extra), lead.created_at, lead.outcome, lead.routable])
        for lead in everybody.values()
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(PERSON, max_size=8))
def test_rows_at_once_come_to_the_same_as_one_by_one(people: list[tuple[str, ...]]) -> None:
    """Whoever shares a name, an address or a number with somebody of the same file, or resembles them."""
    text = "\n".join([PEOPLE_HEADINGS, *(",".join(cells) for cells in people)]) + "\n"
    ends = []
    for at_once in (True, False):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            if not at_once:
                patch.setattr(Newcomers, "known", lambda _, tokens: set(tokens))
            desk = open_desk(Path(folder))
            try:
                bring(desk, text, PEOPLE)
                ends.append((told(desk), desk.house.leads.count()))
            finally:
                desk.house.close()
    assert ends[0] == ends[1]


def test_somebody_misspelt_in_a_file_is_one_lead(desk: Desk) -> None:
    lines = ["1,ann.berger@acme.com,,Ann,Berger,Acme Systems,DE,,2026-01-01,", "2,,,Ann,Bergre,Acme Systems AG,DE,,2026-01-02,"]
    report = bring(desk, "\n".join([PEOPLE_HEADINGS, *lines, "3,,,Bert,Berger,Acme Systems,DE,,2026-01-02,"]), PEOPLE)
    assert (report.created, desk.house.leads.count()) == (3, 2)
    (merge,) = desk.house.leads.merges()
    assert merge.grounds.how == "near"
    second = bring(desk, f"{PEOPLE_HEADINGS}\n9,,,Ann,Bergr,Acme Systems,DE,,2026-01-03,", PEOPLE, "more.csv")
    assert (second.created, desk.house.leads.count()) == (1, 2), "also by those who came before"


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 2)
    lines = [f"{number},p{number}@corp.example,P,DE,1,1" for number in range(6)]
    lines[1], lines[3] = ",bad@corp.example,P,DE,1,1", "3,p3@corp.example,P,DE,1,maybe"
    seen: list[int] = []

    def cut_off(house: House, connection: str, chunk: Sequence[ReadRow]) -> tuple[int, int]:
        seen.append(len(chunk))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return store(house, connection, chunk)

    monkeypatch.setattr(importing, "store", cut_off)
    with pytest.raises(KeyboardInterrupt):
        bring(desk, rows(*lines))
    assert desk.house.leads.count() == 2
    first = desk.house.leads.get(desk.house.leads.find_external("import", "0") or 0)
    desk.clock.move(3600)
    report = bring(desk, rows(*lines))
    assert (report.rows, report.created, report.failed, report.resumed_at) == (6, 4, 2, 4)
    with (desk.house.settings.home / "leads.errors.csv").open(newline="") as handle:
        assert [line[0] for line in csv.reader(handle)] == ["line", "3", "5"]
    last = desk.house.leads.get(desk.house.leads.find_external("import", "5") or 0)
    assert first is not None
    assert last is not None
    assert last.created_at - first.created_at == 5 * SPACING, "laid out from the moment at which the first run began"
    assert bring(desk, rows(*lines)).resumed_at == 0, "a run that ended is not resumed"


def test_a_row_that_was_set_aside_is_found_by_its_line_in_the_file(desk: Desk) -> None:
    text = rows('a,a@corp.example,"two\r\nlines",DE,1,1', "", ",b@corp.example,B,DE,1,1", 'c,,"x\r\ny",DE,1,maybe', "d")
    assert [line.split(",")[0] for line in text.splitlines()][4] == "", "the fifth line"
    assert bring(desk, text).failed == 3
    with (desk.house.settings.home / "leads.errors.csv").open(newline="") as handle:
        found = list(csv.DictReader(handle))
    assert [line["line"] for line in found] == ["5", "6", "8"]
    assert set(found[0]) == {"line", "reason", *HEADINGS.split(",")}


def test_the_first_row_set_aside_may_be_short(desk: Desk) -> None:
    assert bring(desk, rows("a", "b,b@corp.example,B,DE,1,maybe")).failed == 2
    with (desk.house.settings.home / "leads.errors.csv").open(newline="") as handle:
        found = list(csv.DictReader(handle))
    assert [(line["Id"], line["Won"]) for line in found] == [("a", ""), ("b", "maybe")]


@pytest.mark.parametrize(
    "left", ["", "line,rea", "line,reason,Id,Mail,Name,Land,Visits,Won\r\n1", "something else\r\nof,somebody\r\n"]
)
def test_an_errors_file_that_was_cut_off_is_no_obstacle(desk: Desk, monkeypatch: pytest.MonkeyPatch, left: str) -> None:
    monkeypatch.setattr(importing, "CHUNK", 2)
    lines = [f"{number},p{number}@corp.example,P,DE,1,1" for number in range(4)]
    lines[3] = "3,p3@corp.example,P,DE,1,maybe"
    seen: list[int] = []

    def cut_off(house: House, connection: str, chunk: Sequence[ReadRow]) -> tuple[int, int]:
        seen.append(len(chunk))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return store(house, connection, chunk)

    monkeypatch.setattr(importing, "store", cut_off)
    with pytest.raises(KeyboardInterrupt):
        bring(desk, rows(*lines))
    (desk.house.settings.home / "leads.errors.csv").write_text(left)
    report = bring(desk, rows(*lines))
    assert (report.rows, report.created, report.failed, report.resumed_at) == (4, 3, 1, 2)
    with (desk.house.settings.home / "leads.errors.csv").open(newline="") as handle:
        assert [line[0] for line in csv.reader(handle)] == ["line", "5"]


@pytest.mark.parametrize("moment", ["9999-12-31", "9999-12-31T23:59:59", "2027-01-01"])
def test_a_creation_to_come_is_set_aside(desk: Desk, moment: str) -> None:
    mapping = ImportMap("import", "Id", created_at="Name", outcome="Won", won=frozenset({"1"}))
    report = bring(desk, rows("a,,2026-01-01,,,1", f"b,,{moment},,,1"), mapping)
    assert (report.created, report.failed) == (1, 1)


def test_everybody_who_is_new_is_counted_also_behind_a_number_that_is_shared(desk: Desk) -> None:
    mapping = ImportMap("import", "Id", fields={"email": "Mail", "phone": "Visits"})
    report = bring(desk, rows("a,a@corp.example,,,+4930901820,", "b,b@corp.example,,,+4930901820,"), mapping)
    assert (desk.house.leads.count(), report.created, report.changed) == (2, 2, 0)


def test_an_order_of_numbers_dates_and_other_texts_is_kept(desk: Desk) -> None:
    mapping = ImportMap("import", "Id", fields={"first_name": "Name"}, order="Visits")
    orders = ["z", "2026-02-01", "10", "2026-01-31T10:00", "9", "a"]
    bring(desk, rows(*(f"{place},,P,,{order}," for place, order in enumerate(orders))), mapping)
    made = {}
    for place, order in enumerate(orders):
        lead = desk.house.leads.get(desk.house.leads.find_external("import", str(place)) or 0)
        assert lead is not None
        made[order] = lead.created_at
    assert sorted(orders, key=made.__getitem__) == ["9", "10", "2026-01-31T10:00", "2026-02-01", "a", "z"]
