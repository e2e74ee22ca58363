"""What is sealed opens only unchanged, in its place and with its key; keys can be rotated; look-ups survive that."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import Configuration, Fatal, LeadswitchError
from connector.vault import Vault, open_vault, parse_keys

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VAULT = Vault({"old": OLD})
QUICK = settings(max_examples=60, deadline=None)


@QUICK
@given(st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_opens_and_shows_nothing(plain: bytes, context: bytes) -> None:
    sealed = VAULT.seal(plain, context)
    assert VAULT.open(sealed, context) == plain
    assert VAULT.seal(plain, context) != sealed, "equal values must not look equal"
    assert len(plain) < 4 or plain not in sealed


@QUICK
@given(st.binary(min_size=1, max_size=80), st.data())
def test_one_changed_byte_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(plain, b"here"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((Fatal, Configuration)):
        VAULT.open(bytes(sealed), b"here")


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 5, 16, 30])
def test_what_is_cut_short_is_noticed(cut: int) -> None:
    with pytest.raises(LeadswitchError):
        VAULT.open(VAULT.seal(b"some words", b"here")[:cut], b"here")
    with pytest.raises(Fatal):
        VAULT.person(VAULT.new_data_key()).open_json(b"x" * cut)


def test_a_value_does_not_open_in_another_place_or_under_another_key() -> None:
    with pytest.raises(Fatal):
        VAULT.open(VAULT.seal(b"x", b"rep"), b"tokens")
    with pytest.raises(Fatal):
        Vault({"old": NEW}).open(VAULT.seal(b"x"))
    with pytest.raises(Configuration, match="'old'"):
        Vault({"new": NEW}).open(VAULT.seal(b"x"))
    ann, bo = VAULT.person(VAULT.new_data_key()), VAULT.person(VAULT.new_data_key())
    with pytest.raises(Fatal):
        bo.open_json(ann.seal_json("x"))


def test_a_new_key_goes_in_front_and_everything_goes_on() -> None:
    person_key = VAULT.new_data_key()
    sealed, kept = VAULT.seal(b"x", b"c"), VAULT.person(person_key).seal_json({"name": "Ann"})
    rotated = Vault({"new": NEW, "old": OLD})
    assert rotated.open(sealed, b"c") == b"x"
    assert rotated.person(person_key).open_json(kept) == {"name": "Ann"}
    assert rotated.index("email", "ann@corp.example") == VAULT.index("email", "ann@corp.example")
    assert rotated.seal(b"x").startswith(b"\x03new")
    with pytest.raises(Configuration):
        VAULT.open(rotated.seal(b"x"))


def test_the_index_says_nothing_without_the_key_and_tells_kinds_apart() -> None:
    token = VAULT.index("email", "ann@corp.example")
    assert token != VAULT.index("phone", "ann@corp.example")
    assert token != Vault({"old": NEW}).index("email", "ann@corp.example")
    assert len(token) <= 32


@QUICK
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_any_json_comes_back(value: object) -> None:
    assert VAULT.open_json(VAULT.seal_json(value)) == value
    person = VAULT.person(VAULT.new_data_key())
    assert person.open_json(person.seal_json(value)) == value


def test_half_a_character_is_kept_as_a_question_mark_and_breaks_nothing() -> None:
    person = VAULT.person(VAULT.new_data_key())
    assert person.open_json(person.seal_json("a\ud83db")) == "a?b"
    assert VAULT.index("email", "\ud83d")


@pytest.mark.parametrize(
    "text",
    [
        "k1",
        "k1:",
        ":AAAA",
        "k1:not base64!",
        "k1:" + base64.b64encode(b"short").decode(),
        "k" * 33 + ":" + base64.b64encode(OLD).decode(),
    ],
)
def test_a_wrong_key_is_named_by_place_and_never_shown(text: str) -> None:
    good = "good:" + base64.b64encode(OLD).decode()
    with pytest.raises(Configuration, match="Entry 2") as raised:
        parse_keys(f"{good},{text}")
    assert base64.b64encode(OLD).decode() not in str(raised.value)
    assert "not base64!" not in str(raised.value)


def test_two_keys_of_one_name_are_refused() -> None:
    one, other = base64.b64encode(OLD).decode(), base64.b64encode(NEW).decode()
    with pytest.raises(Configuration):
        parse_keys(f"k1:{one},k1:{other}")


@pytest.mark.parametrize("name", ["ключ", "k1", "🔑"])
def test_a_key_of_any_name_opens_what_it_sealed(name: str) -> None:
    vault = Vault(parse_keys(f"{name}:{base64.b64encode(OLD).decode()}"))
    assert vault.open(vault.seal(b"x")) == b"x"


def test_no_key_at_all_is_a_setting_to_mend() -> None:
    with pytest.raises(Configuration):
        Vault({})
    with pytest.raises(Configuration):
        open_vault(" , ", Path("nowhere"))


def test_many_processes_that_start_at_once_agree_on_one_key_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(lambda _: open_vault(None, tmp_path / "home"), range(8)))
    sealed = vaults[0].seal(b"x")
    assert all(vault.open(sealed) == b"x" for vault in vaults)
    path = tmp_path / "home" / "encryption.keys"
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]
