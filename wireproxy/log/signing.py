"""The gateway's Ed25519 key: it signs checkpoints and the ledger, and its public half alone verifies them.

The private key is a PKCS #8 PEM of mode 0600; a key that others can read is refused, since a log they could have signed
proves nothing. The public key lies beside it as `gateway.pub`: give it to whoever verifies, by a way of its own.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PRIVATE_NAME = "gateway.key"
PUBLIC_NAME = "gateway.pub"


class KeyFileError(Exception):
    """A key file that cannot be used. The message says which, why and what to do."""


def key_id(raw_public: bytes) -> str:
    """The short name of a key in headers, ledgers and messages: 16 hex digits of its SHA-256."""
    return sha256(raw_public).hexdigest()[:16]


@frozen
class Verifier:
    """A public key. `raw` is its 32 bytes."""

    raw: bytes
    _key: Ed25519PublicKey = field(eq=False, repr=False)

    @classmethod
    def from_raw(cls, raw: bytes) -> Verifier:
        return cls(raw, Ed25519PublicKey.from_public_bytes(raw))

    @property
    def key_id(self) -> str:
        return key_id(self.raw)

    def valid(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@frozen
class Signer:
    """The private key in use."""

    _key: Ed25519PrivateKey = field(repr=False)
    verifier: Verifier

    @classmethod
    def generate(cls) -> Signer:
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def _of(cls, key: Ed25519PrivateKey) -> Signer:
        return cls(key, Verifier.from_raw(key.public_key().public_bytes_raw()))

    @property
    def key_id(self) -> str:
        return self.verifier.key_id

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    @classmethod
    def load_or_create(cls, path: Path) -> Signer:
        """Read the key at `path`, or make one there, with its public half as `gateway.pub` in the same folder.

        Raises KeyFileError for a key that cannot be read, is not Ed25519, or is readable or writable by others.
        """
        try:
            signer = cls.load(path)
        except FileNotFoundError:
            signer = cls._create(path)
        signer._publish(path.parent / PUBLIC_NAME)
        return signer

    @classmethod
    def load(cls, path: Path) -> Signer:
        """Read the key at `path`. Raises FileNotFoundError, and KeyFileError as `load_or_create` does."""
        pem = _read_private(path)
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyFileError(f"{path} is not a private key in PEM without a passphrase: {error}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path} is not an Ed25519 key: make one with `openssl genpkey -algorithm ed25519`")
        return cls._of(key)

    @classmethod
    def _create(cls, path: Path) -> Signer:
        """Written under another name and linked into place: of two workers that start at once, both use the same key."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        _write_new(draft, pem, 0o600)
        try:
            os.link(draft, path)
        except FileExistsError:
            return cls.load(path)
        finally:
            draft.unlink()
        return cls._of(key)

    def _publish(self, path: Path) -> None:
        """Write the public key where it is not yet. A folder that cannot be written to is no error: the key works."""
        pem = Ed25519PublicKey.from_public_bytes(self.verifier.raw).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        try:
            if path.exists() and path.read_bytes() == pem:
                return
            draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
            _write_new(draft, pem, 0o644)
            draft.replace(path)
        except PermissionError:
            return


def load_public_keys(path: Path) -> tuple[Verifier, ...]:
    """Read one or several public keys from a PEM file: after a change of keys, old and new may stand in one file."""
    text = path.read_bytes()
    end = b"-----END PUBLIC KEY-----"
    blocks = [block + end for block in text.split(end)[:-1]]
    if not blocks:
        raise KeyFileError(f"{path} has no public key in PEM: give the gateway's {PUBLIC_NAME}")
    return tuple(_public(path, block) for block in blocks)


def _public(path: Path, pem: bytes) -> Verifier:
    try:
        key = load_pem_public_key(pem.lstrip())
    except ValueError as error:
        raise KeyFileError(f"{path} has a public key that cannot be read: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path} has a public key that is not Ed25519")
    return Verifier.from_raw(key.public_bytes_raw())


def _read_private(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO is not waited for
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"{path} is not a file")
        if status.st_mode & 0o077:
            raise KeyFileError(
                f"{path} can be used by others than its owner (mode {status.st_mode & 0o777:04o}): chmod 600 {path}"
            )
        return os.read(descriptor, 64 * 1024)
    finally:
        os.close(descriptor)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
