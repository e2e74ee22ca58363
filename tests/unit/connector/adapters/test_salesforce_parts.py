"""The parts of the Salesforce adapter that need no socket: ids, values, envelopes, queries, refusals."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.envelope import DEPTH, is_xml, parse, read_notifications
from connector.adapters.salesforce.ids import is_same, read_record_id
from connector.adapters.salesforce.refusals import GONE, LATER, MENDS, code_of, read_errors, sort_refusal
from connector.errors import Configuration, LeadswitchError, Retriable, Skippable
from leads.enums import STAGE_ORDER, LifecycleStage
from tests.standins.salesforce.org import suffixed
from tests.standins.salesforce.query import Malformed, Parser

letters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


# --- ids


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),  # the pair in the vendor's own explanation of the suffix
        ("00Q000000000001", "00Q000000000001EAA"),
        ("aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaAAA"),
        ("AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA555"),
    ],
)
def test_the_long_form_of_an_id(short: str, long: str) -> None:
    assert read_record_id(short) == long
    assert read_record_id(long) == long
    assert is_same(short, long)


@given(st.lists(letters, min_size=15, max_size=15).map("".join), st.lists(letters, min_size=15, max_size=15).map("".join))
def test_ids_are_the_same_when_all_fifteen_characters_are(one: str, other: str) -> None:
    assert read_record_id(one) == suffixed(one)
    assert is_same(one, read_record_id(other)) is (one == other)
    assert not is_same(one, one.swapcase()) or one.isdigit()


@pytest.mark.parametrize("text", [None, "", 15, "00Q", "00Q0000000000019", "00Q00000000000'", "00Q0000000000ä1", "00Q*"])
def test_what_is_no_id_is_like_no_other(text: object) -> None:
    assert not is_same(text, text)
    with pytest.raises(ValueError, match="no record id"):
        read_record_id(text)


# --- values


@pytest.mark.parametrize(
    "text", ["2026-11-20T10:00:00.000Z", "2026-11-20T10:00:00.000+0000", "2026-11-20T11:00:00+01:00", 1795168800000]
)
def test_moments_of_every_way_in(text: object) -> None:
    assert words.read_moment(text) == datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "2026-11-20", "2026-11-20T10:00:00", True, -1, 1e300, float("nan"), [], "soon"])
def test_no_moment(text: object) -> None:
    with pytest.raises(ValueError, match="no moment"):
        words.read_moment(text)


def test_an_emptied_field_and_one_that_is_not_there() -> None:
    fields, extra = words.read_fields({"Phone": None, "Title": "", "Own__c": None}, {}, emptied=True)
    assert (fields, extra) == ({"phone": None, "title": None}, {"Own__c": None})
    assert words.read_fields({"Phone": None, "Title": "", "Own__c": None}, {}) == ({}, {})


def test_the_mobile_number_stands_in_for_the_other() -> None:
    assert words.read_fields({"MobilePhone": "+1 2"}, {})[0] == {"phone": "+1 2"}
    assert words.read_fields({"MobilePhone": "+1 2", "Phone": "+1 1"}, {})[0] == {"phone": "+1 1"}


def test_a_converted_lead_is_an_opportunity_at_least() -> None:
    assert words.read_fields({"IsConverted": "true", words.STAGE: "mql"}, {})[0] == {"lifecycle_stage": "opportunity"}
    assert words.read_fields({"IsConverted": True, words.STAGE: "customer"}, {})[0] == {"lifecycle_stage": "customer"}
    assert words.read_fields({"IsConverted": "false"}, {})[0] == {}


@given(st.sampled_from(STAGE_ORDER), st.sampled_from(STAGE_ORDER))
def test_a_stage_is_further_in_one_direction_alone(one: LifecycleStage, other: LifecycleStage) -> None:
    assert not (words.is_further(one.value, other.value) and words.is_further(other.value, one.value))
    assert not words.is_further(one.value, "a stage of the org's own")


# --- envelopes

NOTICE = '<Notification><Id>04l000000000001</Id><sObject xmlns:s="u"><s:Id>00Q000000000001</s:Id>{}</sObject></Notification>'
MESSAGE = (
    '<e:Envelope xmlns:e="x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>'
    '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">{}</notifications></e:Body></e:Envelope>'
)


def test_a_value_is_text_with_its_entities_and_its_lines() -> None:
    (one,) = read_notifications(
        MESSAGE.format(NOTICE.format("<s:A>a &amp; b&#10;&lt;!DOCTYPE</s:A><s:B xsi:nil='true'/><s:C/>")).encode()
    )
    assert one["fields"] == {"Id": "00Q000000000001", "A": "a & b\n<!DOCTYPE", "B": None, "C": ""}


BOMB = "".join(f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};&a{n - 1};">' for n in range(1, 20))


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE e [<!ENTITY a0 "x">' + BOMB + "]>",
        '<!DOCTYPE e [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE e SYSTEM "http://x.example/e.dtd">',
        "<!DOCTYPE e>",
        '<!DOCTYPE e [<!ENTITY % p SYSTEM "http://x.example/p">%p;]>',
    ],
)
@pytest.mark.parametrize("code", ["utf-8", "utf-16", "utf-16-le"])
def test_a_document_type_is_refused_before_anything_of_it_is_read(head: str, code: str) -> None:
    body = (head + "<e>&a19;</e>").encode(code)
    with pytest.raises(ValueError, match=r"document type|not XML"):
        parse(body)


def test_an_unknown_entity_is_refused() -> None:
    with pytest.raises(ValueError, match="not XML"):
        parse(b"<e>&x;</e>")


def test_depth_is_bounded() -> None:
    assert parse(b"<a>" * DEPTH + b"</a>" * DEPTH)
    with pytest.raises(ValueError, match="too deeply"):
        parse(b"<a>" * 100_000)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse(b"<a>" + body + b"</a>")
    except ValueError as error:
        assert str(error) in ("not XML, or cut short", "a document type is not taken", "nested too deeply")


XML = (b"<a/>", b"\xef\xbb\xbf <a/>", "<a/>".encode("utf-16"))


@pytest.mark.parametrize(("body", "xml"), [*((one, True) for one in XML), (b'{"a": "<"}', False), (b"", False)])
def test_xml_and_json_are_told_apart(body: bytes, xml: bool) -> None:
    assert is_xml(body) is xml


@pytest.mark.parametrize("body", [b"<xml/>", MESSAGE.replace("sforce.com", "x.example").format("").encode(), b"<a/><b/>"])
def test_another_document_is_no_outbound_message(body: bytes) -> None:
    with pytest.raises(ValueError, match="not"):
        read_notifications(body)


# --- queries


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60))
def test_a_quoted_value_comes_back_as_it_was(text: str) -> None:
    query = Parser(f"SELECT Id FROM Lead WHERE Title = {soql.quote(text)}", lambda thing: {"Title"}).read()  # noqa: S608 - SOQL
    assert query.run([{"Title": text}]) == [{"Title": text}]
    assert query.run([{"Title": text + "x"}]) == []


def test_without_quoting_it_would_be_malformed_or_worse() -> None:
    with pytest.raises(Malformed):
        Parser("SELECT Id FROM Lead WHERE Title = 'it's'", lambda thing: {"Title"}).read()


def test_a_list_names_each_once() -> None:
    assert soql.any_of(["a", "b'", "a"]) == "('a', 'b\\'')"


# --- refusals


@pytest.mark.parametrize(
    ("codes", "sort"),
    [(LATER, Retriable), (GONE, Skippable), (MENDS, Configuration)],
)
def test_every_code_of_a_table_is_sorted_by_it(codes: dict[str, object], sort: type[LeadswitchError]) -> None:
    for code in codes:
        for name in ("errorCode", "statusCode"):
            error = sort_refusal([{name: code, "message": "grace@navy.example", "fields": ["Email", "x y'"]}], "a row")
            assert type(error) is sort
            assert code in str(error)
            assert "Email" in str(error)
            assert "grace" not in str(error)
            assert "x y" not in str(error)


def test_what_has_no_code_is_left_to_the_status() -> None:
    for document in ([], {}, None, "text", [{"errorCode": "a sentence about grace@navy.example"}], [None]):
        assert code_of(read_errors(document)) == ""
        assert sort_refusal(read_errors(document), "a row") is None
