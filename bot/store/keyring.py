"""The data keys: sealing values to their row, and deriving one key per purpose.

Knows AES-256-GCM, HKDF-SHA256 and the key file beside a SQLite database. Must not know tables, nor what is
sealed. Keys never appear in `repr`, errors or logs; only their ids do.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.ports import SealUnreadable

_VERSION = 1
_NONCE = 12
_KEY = 32
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")


class KeyMissing(SealUnreadable):
    """A key that is needed is not in the ring: the message names its id, never its bytes."""


class KeyFileUnsafe(Exception):
    """The key file is not a plain file of ours that only we can read."""


class SealBroken(SealUnreadable):
    """A sealed value was changed, or stands in another row than the one it was sealed for."""


class KeyRing:
    """Keys by id in order: the first seals and signs, all open and verify, the last is the oldest."""

    __slots__ = ("_aead", "_derived", "_keys")

    def __init__(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """keys: (id, 32 bytes). Raises ValueError without any key, or for a bad or repeated id or size."""
        self._keys: dict[str, bytes] = {}
        for key_id, key in keys:
            if not _ID.match(key_id) or key_id in self._keys:
                raise ValueError("a data key id must be unique and of 1 to 32 letters, digits, - or _")
            if len(key) != _KEY:
                raise ValueError(f"data key {key_id} must have {_KEY} bytes")
            self._keys[key_id] = key
        if not self._keys:
            raise ValueError("at least one data key is needed")
        self._derived: dict[tuple[str, str], bytes] = {}
        self._aead: dict[str, AESGCM] = {}

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """`id:base64-of-32-bytes[,...]`, first encrypts. Raises ValueError without repeating the key."""
        keys = []
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            key_id, colon, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded.strip(), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not colon or len(key) != _KEY:
                raise ValueError("data keys are written id:base64-of-32-bytes, separated by commas")
            keys.append((key_id.strip(), key))
        return cls(keys)

    @classmethod
    def beside_sqlite(cls, path: Path | str) -> KeyRing:
        """The ring of `FILE.keys`, made with mode 0600 when neither it nor the database exists yet.

        Raises KeyFileUnsafe for looser permissions or a foreign owner, KeyMissing when a database is there
        but its key file is not (a new key could not open it).
        """
        database = Path(path)
        file = database.with_name(database.name + ".keys")
        if not file.exists():
            if database.exists() and database.stat().st_size > 0:
                raise KeyMissing(f"{database} exists, but its key file {file} does not")
            _make_key_file(file)
        return cls.parse(_read_key_file(file))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    @property
    def first_id(self) -> str:
        return next(iter(self._keys))

    def derive(self, purpose: str) -> bytes:
        """32 bytes of the first key for one purpose (`audit`, `cards`, `numbers`, ...)."""
        return self.derive_for(self.first_id, purpose)

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """The derived keys of the whole ring, first key first."""
        return tuple(self.derive_for(key_id, purpose) for key_id in self._keys)

    def derive_oldest(self, purpose: str) -> bytes:
        """Of the last key: for hashes that must stay comparable when a new first key is added."""
        return self.derive_for(next(reversed(self._keys)), purpose)

    def derive_for(self, key_id: str, purpose: str) -> bytes:
        """Of a given key. Raises KeyMissing when the ring does not have it."""
        known = self._derived.get((key_id, purpose))
        if known is not None:
            return known
        info = b"ringfence/1/" + purpose.encode()
        key = HKDF(SHA256(), _KEY, salt=None, info=info).derive(self._key(key_id))
        return self._derived.setdefault((key_id, purpose), key)

    def seal(self, row_bound_aad: bytes, text: str) -> bytes:
        """version byte | length and key id | 12 random bytes | ciphertext with tag.

        row_bound_aad: names table, row and column; the same is needed to open it again.
        """
        key_id = self.first_id
        header = bytes((_VERSION, len(key_id))) + key_id.encode()
        nonce = secrets.token_bytes(_NONCE)
        return header + nonce + self._cipher(key_id).encrypt(nonce, text.encode(), header + row_bound_aad)

    def open(self, row_bound_aad: bytes, sealed: bytes) -> str:
        """The text again. Raises KeyMissing for a key we do not have, SealBroken for all else."""
        start = 2 + sealed[1] if len(sealed) > 2 + _NONCE and sealed[0] == _VERSION else 0
        if not start:
            raise SealBroken("not a sealed value of a known version")
        header, nonce, body = sealed[:start], sealed[start : start + _NONCE], sealed[start + _NONCE :]
        cipher = self._cipher(header[2:].decode("ascii", "replace"))
        try:
            return cipher.decrypt(nonce, body, header + row_bound_aad).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken("a sealed value does not belong to its row, or was changed") from error

    def _cipher(self, key_id: str) -> AESGCM:
        cipher = self._aead.get(key_id)
        if cipher is None:
            cipher = self._aead.setdefault(key_id, AESGCM(self.derive_for(key_id, "seal")))
        return cipher

    def _key(self, key_id: str) -> bytes:
        try:
            return self._keys[key_id]
        except KeyError:
            known = ", ".join(self._keys)
            raise KeyMissing(f"data key {key_id!r} is not in the key ring ({known})") from None


def _make_key_file(file: Path) -> None:
    """Written aside and linked into place: of two processes at once, one file stays and both read it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(_KEY)).decode()}\n"
    handle, aside = tempfile.mkstemp(prefix=file.name + ".", dir=file.parent)
    try:
        with os.fdopen(handle, "w") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(aside, file)
        except FileExistsError:
            return
        _sync_directory(file.parent)
    finally:
        os.unlink(aside)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_key_file(file: Path) -> str:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise KeyFileUnsafe(f"{file} cannot be opened as a plain file") from error
    with os.fdopen(handle) as source:
        found = os.fstat(source.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
            raise KeyFileUnsafe(f"{file} must be a plain file of ours with mode 0600")
        return ",".join(source.read().split())
