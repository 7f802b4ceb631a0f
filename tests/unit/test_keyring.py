"""Data keys: what is sealed opens only in its row and with its key; key files are ours alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from bot.store.keyring import KeyFileUnsafe, KeyMissing, KeyRing, SealBroken

OLD, NEW = ("old", b"\x01" * 32), ("new", b"\x02" * 32)
BOTH = KeyRing([NEW, OLD])


def test_sealed_text_opens_in_its_row_only() -> None:
    """The same text seals differently each time, opens with the same binding, and with no other."""
    one, two = BOTH.seal(b"row 1", "+1 2065550147"), BOTH.seal(b"row 1", "+1 2065550147")
    assert one != two
    assert BOTH.open(b"row 1", one) == "+1 2065550147"
    with pytest.raises(SealBroken):
        BOTH.open(b"row 2", one)


def test_the_sealed_form_carries_version_and_key_id() -> None:
    """version | length and key id | 12 random bytes | ciphertext and 16 bytes tag; no clear byte."""
    sealed = BOTH.seal(b"", "1234567")
    assert sealed[:5] == b"\x01\x03new"
    assert len(sealed) == 5 + 12 + 7 + 16
    assert b"1234567" not in sealed


@pytest.mark.parametrize("at", range(0, 38, 3))
def test_any_changed_byte_is_noticed(at: int) -> None:
    """Version, key id, nonce, ciphertext or tag: one changed bit and it does not open."""
    sealed = bytearray(BOTH.seal(b"row", "+1 2065550147"))
    sealed[at] ^= 1
    with pytest.raises((SealBroken, KeyMissing)):
        BOTH.open(b"row", bytes(sealed))


@pytest.mark.parametrize("junk", [b"", b"\x01", b"\x01\xff" + b"x" * 20, b"\x02\x03new" + b"x" * 40])
def test_junk_is_not_opened(junk: bytes) -> None:
    """What was never sealed by us raises, whatever it looks like."""
    with pytest.raises((SealBroken, KeyMissing)):
        BOTH.open(b"row", junk)


def test_rotation_keeps_old_values_readable() -> None:
    """A new first key seals from now on; the old one still opens; without it the key is named."""
    before = KeyRing([OLD]).seal(b"row", "x")
    assert BOTH.open(b"row", before) == "x"
    assert BOTH.seal(b"row", "x")[2:5] == b"new"
    with pytest.raises(KeyMissing, match="old"):
        KeyRing([NEW]).open(b"row", before)


def test_each_purpose_and_key_has_its_own() -> None:
    """Derived keys differ by purpose and key; the first makes, the oldest stays for comparing."""
    assert len({BOTH.derive("audit"), BOTH.derive("cards"), *BOTH.derive_all("numbers"), NEW[1], OLD[1]}) == 6
    assert BOTH.derive("cards") == BOTH.derive_all("cards")[0]
    assert BOTH.derive_oldest("numbers") == KeyRing([OLD]).derive("numbers")
    with pytest.raises(KeyMissing):
        BOTH.derive_for("third", "audit")


def test_keys_are_parsed_in_order() -> None:
    """id:base64, comma-separated, spaces allowed, first first."""
    text = ", ".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in (NEW, OLD))
    ring = KeyRing.parse(text)
    assert ring.ids == ("new", "old")
    assert ring.derive_all("x") == BOTH.derive_all("x")


SECRET = base64.b64encode(b"\x07" * 32).decode()
SHORT = base64.b64encode(b"\x07" * 16).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        SECRET,
        f"a:{SHORT}",
        "a:!!!",
        f"a:{SECRET},a:{SECRET}",
        f"ä:{SECRET}",
        f":{SECRET}",
        f"a:{SECRET}x",
    ],
)
def test_bad_keys_are_refused_without_repeating_them(text: str) -> None:
    """The error never carries key material."""
    with pytest.raises(ValueError, match="key") as caught:
        KeyRing.parse(text)
    assert SECRET not in str(caught.value)
    assert SHORT not in str(caught.value)


def test_the_ring_does_not_show_its_keys() -> None:
    """repr has ids only."""
    assert repr(BOTH) == "KeyRing(new, old)"


def test_a_key_file_is_made_once_and_read_again(tmp_path: Path) -> None:
    """Mode 0600, the same key next time, nothing else left lying about."""
    database = tmp_path / "var" / "ringfence.db"
    first = KeyRing.beside_sqlite(database)
    file = tmp_path / "var" / "ringfence.db.keys"
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == [file.name]
    assert KeyRing.beside_sqlite(database).derive_all("x") == first.derive_all("x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610])
def test_a_loose_key_file_is_refused(tmp_path: Path, mode: int) -> None:
    """Anybody else who may read or write it: no start."""
    KeyRing.beside_sqlite(tmp_path / "db")
    (tmp_path / "db.keys").chmod(mode)
    with pytest.raises(KeyFileUnsafe, match=r"db\.keys"):
        KeyRing.beside_sqlite(tmp_path / "db")


def test_a_link_is_not_a_key_file(tmp_path: Path) -> None:
    """A symbolic link could point anywhere."""
    KeyRing.beside_sqlite(tmp_path / "other")
    (tmp_path / "db.keys").symlink_to(tmp_path / "other.keys")
    with pytest.raises(KeyFileUnsafe):
        KeyRing.beside_sqlite(tmp_path / "db")


def test_a_lost_key_file_is_not_replaced(tmp_path: Path) -> None:
    """A database without its key file: a new key could not read it, so we say what is missing."""
    (tmp_path / "db").write_bytes(b"data")
    with pytest.raises(KeyMissing, match=r"db\.keys"):
        KeyRing.beside_sqlite(tmp_path / "db")
    assert os.listdir(tmp_path) == ["db"]
