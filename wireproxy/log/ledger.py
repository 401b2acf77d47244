"""The ledger: which sessions there were. A session log that is gone altogether is found missing by it.

Each gateway process keeps one file in `ledger/` of the log directory, and holds a lock on it for as long as it lives: so
several processes share a directory without waiting for each other, and a reader knows a running session from one whose
gateway died. Entries are chained and each is signed. The first entry of a ledger pins how far every other ledger in the
folder had got, so cutting the end off an older one is found too.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
from attrs import frozen

from wireproxy.log.errors import FormatError, LogError, TornError
from wireproxy.log.files import open_regular
from wireproxy.log.format import LENGTH, LINK_BYTES, SIGNATURE_BYTES
from wireproxy.log.signing import Signer

FOLDER = "ledger"
SUFFIX = ".wpledger"
MAGIC = b"WPLEDGER1\r\n\x1a"
ENTRY_DOMAIN = b"wireproxy ledger 1\0"
ENTRY_LIMIT_BYTES = 16 * 1024 * 1024  # the first entry names every other ledger of the folder
TRAILER_BYTES = LINK_BYTES + SIGNATURE_BYTES


class Pin(msgspec.Struct, frozen=True, array_like=True):
    """Another ledger as it was found: its length, and the link at that length."""

    ledger: str
    size_bytes: int
    link: bytes
    alive: bool  # its process still ran, so more entries may have followed


class Opened(msgspec.Struct, frozen=True, array_like=True, tag=1):
    ledger: str  # the file's own name
    at_ns: int  # wall time, as everywhere in a ledger
    key_id: str
    process_id: int
    pins: tuple[Pin, ...] = ()


class Started(msgspec.Struct, frozen=True, array_like=True, tag=2):
    at_ns: int
    session: str
    path: str  # of the log's first part, relative to the log directory
    link: bytes  # the first link of that part


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=3):
    at_ns: int
    session: str
    link: bytes  # the last link of the last part
    records: int
    part: int = 1


class Closed(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The process ended in order. A ledger without it may have lost its last entries."""

    at_ns: int


class Abandoned(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The log of a session could not be written any more. It stays unclosed, though the process lives on."""

    at_ns: int
    session: str
    reason: str


Entry = Opened | Started | Ended | Closed | Abandoned
_entries = msgspec.msgpack.Decoder(Entry)


class Ledger:
    """The ledger of this process. Methods raise LogError when an entry cannot be written."""

    def __init__(self, directory: Path, signer: Signer, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._signer = signer
        self._clock_ns = clock_ns
        self._broken: str | None = None
        now = clock_ns()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now // 1_000_000_000))
        folder = directory / FOLDER
        self.path = folder / f"{stamp}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
        self._size = 0
        self._link = sha256(ENTRY_DOMAIN + self.path.name.encode()).digest()
        draft = self.path.with_suffix(".new")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            pins = tuple(_pins(folder))
            self._fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._write(MAGIC)
            self._append(Opened(self.path.name, now, signer.key_id, os.getpid(), pins))
            draft.rename(self.path)  # only now: a ledger that can be seen is locked, and has its first entry
        except OSError as error:
            raise LogError(f"the ledger {self.path} cannot be made: {error}") from error

    def started(self, session: str, path: str, link: bytes) -> None:
        self._append(Started(self._clock_ns(), session, path, link))

    def ended(self, session: str, link: bytes, records: int, part: int) -> None:
        self._append(Ended(self._clock_ns(), session, link, records, part))

    def abandoned(self, session: str, reason: str) -> None:
        self._append(Abandoned(self._clock_ns(), session, reason))

    def close(self) -> None:
        """Sign off. For the end of the process, after its last session."""
        if self._fd < 0:
            return
        try:
            self._append(Closed(self._clock_ns()))
            os.fsync(self._fd)
        finally:
            os.close(self._fd)
            self._fd = -1
            self._broken = "the ledger is closed"

    def _append(self, entry: Entry) -> None:
        if self._broken is not None:
            raise LogError(self._broken)
        stored, link = encode_entry(entry, self._link, self._signer)
        self._write(stored)
        self._link = link

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                written = os.write(self._fd, view)
                if written == 0:
                    raise OSError("nothing was written")
                view = view[written:]
        except OSError as error:
            reason = f"the ledger {self.path} cannot be written: {error}"
            try:  # taken back, so that the next session may try again: a full disk need not stay full
                os.ftruncate(self._fd, self._size)
            except OSError:
                self._broken = reason
            raise LogError(reason) from error
        self._size += len(data)


def encode_entry(entry: Entry, link: bytes, signer: Signer) -> tuple[bytes, bytes]:
    """Give the stored bytes of an entry, and the link after it."""
    body = msgspec.msgpack.encode(entry)
    framed = LENGTH.pack(len(body)) + body
    link = sha256(link + framed).digest()
    return framed + link + signer.sign(ENTRY_DOMAIN + link), link


@frozen
class StoredEntry:
    """An entry as read. `end` is the offset behind it."""

    entry: Entry
    link: bytes
    signature: bytes
    end: int


def read_entries(path: Path) -> Iterator[StoredEntry]:
    """Read a ledger, checking its chain and not its signatures. Raises FormatError where it breaks, OSError."""
    with open_regular(path) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise FormatError("not a ledger: the first bytes are not its mark", 0)
        link = sha256(ENTRY_DOMAIN + path.name.encode()).digest()
        offset = len(MAGIC)
        while head := file.read(LENGTH.size):
            stored = _read_entry(file.read, head, link, offset)
            yield stored
            link, offset = stored.link, stored.end


def _read_entry(read: Callable[[int], bytes], head: bytes, link: bytes, offset: int) -> StoredEntry:
    if len(head) < LENGTH.size:
        raise TornError("the ledger ends inside an entry", offset)
    (length,) = LENGTH.unpack(head)
    if length > ENTRY_LIMIT_BYTES:
        raise FormatError(f"an entry of {length} bytes is longer than an entry can be", offset)
    body = read(length)
    trailer = read(TRAILER_BYTES)
    if len(body) < length or len(trailer) < TRAILER_BYTES:
        raise TornError("the ledger ends inside an entry", offset)
    expected = sha256(link + head + body).digest()
    if trailer[:LINK_BYTES] != expected:
        raise FormatError("an entry does not chain to the one before it", offset)
    try:
        entry = _entries.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise FormatError(f"an entry cannot be read: {error}", offset) from None
    return StoredEntry(entry, expected, trailer[LINK_BYTES:], offset + LENGTH.size + length + TRAILER_BYTES)


def entry_message(link: bytes) -> bytes:
    """What is signed for the entry whose link this is."""
    return ENTRY_DOMAIN + link


def ledger_paths(directory: Path) -> list[Path]:
    folder = directory / FOLDER
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


def is_alive(path: Path) -> bool:
    """Does the process that keeps this ledger still run? Its lock says so, and is gone however it died."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _pins(folder: Path) -> Iterator[Pin]:
    """The last link stands at the end of each file: nothing need be read but that."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - TRAILER_BYTES, 0))
            yield Pin(path.name, size, file.read(LINK_BYTES), is_alive(path))
