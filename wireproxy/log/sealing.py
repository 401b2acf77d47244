"""Encryption of a session log to its auditors: whoever has the disk sees sizes and times, and no statement.

Each part has a key of its own (ChaCha20-Poly1305), which stands in the header wrapped for every auditor's X25519 public
key. The gateway forgets it when the session ends and cannot read its own logs afterwards. Links and signatures are over
what is stored, so `verify` needs no private key.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from wireproxy.log.errors import FormatError, LogError
from wireproxy.log.format import LENGTH, Recipient
from wireproxy.log.signing import KeyFileError

KEY_BYTES = 32
TAG_BYTES = 16
_WRAP_INFO = b"wireproxy session log key 1\0"
_ZERO_NONCE = bytes(12)  # each wrapping key is used once


def _block_nonce(first: int) -> bytes:
    return b"blk\0" + first.to_bytes(8, "big")


def _frame_nonce(number: int) -> bytes:
    return b"jrn\0" + number.to_bytes(8, "big")


@frozen
class Sealer:
    """The key of one part. A nonce is the number of a record, and each record is written to the journal once."""

    _cipher: ChaCha20Poly1305 = field(repr=False)

    @classmethod
    def from_key(cls, key: bytes) -> Sealer:
        return cls(ChaCha20Poly1305(key))

    def seal_block(self, first: int, payload: bytes) -> bytes:
        return self._cipher.encrypt(_block_nonce(first), payload, None)

    def open_block(self, first: int, payload: bytes) -> bytes:
        try:
            return self._cipher.decrypt(_block_nonce(first), payload, None)
        except InvalidTag:
            raise FormatError("a block does not open with this key") from None

    def seal_frame(self, number: int, frame: bytes, link: bytes) -> bytes:
        """The frame of a record for the journal, its length in the clear; `link` is the one before it."""
        sealed = self._cipher.encrypt(_frame_nonce(number), frame[LENGTH.size :], link)
        return LENGTH.pack(len(sealed)) + sealed

    def open_frame(self, number: int, sealed: bytes, link: bytes) -> bytes:
        try:
            return self._cipher.decrypt(_frame_nonce(number), sealed, link)
        except InvalidTag:
            raise FormatError("a record of the journal does not open with this key") from None


@frozen
class Auditor:
    """An auditor's X25519 public key."""

    raw: bytes

    @property
    def key_id(self) -> str:
        return sha256(self.raw).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> Auditor:
        """Read a PEM made by `openssl pkey -pubout` of an X25519 key. Raises KeyFileError."""
        try:
            key = load_pem_public_key(path.read_bytes())
        except ValueError as error:
            raise KeyFileError(f"{path} is not a public key in PEM: {error}") from None
        if not isinstance(key, X25519PublicKey):
            raise KeyFileError(f"{path} is not an X25519 key: make one with `openssl genpkey -algorithm x25519`")
        auditor = cls(key.public_bytes_raw())
        try:
            _wrap(bytes(KEY_BYTES), auditor)
        except ValueError:
            raise KeyFileError(f"{path} is a key with which everybody could read the logs") from None
        return auditor


def new_key(auditors: Sequence[Auditor]) -> tuple[Sealer | None, tuple[Recipient, ...]]:
    """Make a key and wrap it for each auditor. No auditors: no encryption. Raises LogError for a key that protects nothing."""
    if not auditors:
        return None, ()
    key = os.urandom(KEY_BYTES)
    try:
        return Sealer.from_key(key), tuple(_wrap(key, auditor) for auditor in auditors)
    except ValueError as error:  # a point of small order: the shared secret would be known to all
        raise LogError(f"a log cannot be encrypted to this auditor: {error}") from error


def _wrap(key: bytes, auditor: Auditor) -> Recipient:
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(auditor.raw))
    wrapping = _wrapping_key(shared, public, auditor.raw)
    return Recipient(auditor.key_id, public, ChaCha20Poly1305(wrapping).encrypt(_ZERO_NONCE, key, None))


def _wrapping_key(shared: bytes, ephemeral: bytes, auditor: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_WRAP_INFO + ephemeral + auditor).derive(shared)


@frozen
class AuditorKey:
    """An auditor's private key: it opens the logs that were sealed for it."""

    _key: X25519PrivateKey = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> AuditorKey:
        """Raises KeyFileError."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(f"{path} is not a private key in PEM without a passphrase: {error}") from None
        if not isinstance(key, X25519PrivateKey):
            raise KeyFileError(f"{path} is not an X25519 key")
        return cls(key)

    def public(self) -> Auditor:
        return Auditor(self._key.public_key().public_bytes_raw())

    def unwrap(self, recipients: Sequence[Recipient]) -> Sealer | None:
        """Give the part's key, or None when it was not sealed for this auditor. Raises FormatError for a damaged one."""
        own = self.public()
        for recipient in recipients:
            if recipient.key_id == own.key_id:
                return self._open(recipient, own)
        return None

    def _open(self, recipient: Recipient, own: Auditor) -> Sealer:
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(recipient.ephemeral))
            wrapping = _wrapping_key(shared, recipient.ephemeral, own.raw)
            return Sealer.from_key(ChaCha20Poly1305(wrapping).decrypt(_ZERO_NONCE, recipient.wrapped, None))
        except (ValueError, InvalidTag):
            raise FormatError("the session's key in the header does not open with this private key") from None
