"""Records on their way to disk, so that one that was accepted outlives the process and is there once.

A record goes to the journal with one `write` and is then in the kernel's hands: a process that is killed loses nothing.
When the block is full, a second old, or must be signed, it is compressed and appended to the log, and only after that
the journal is removed. Whatever stops the process in between, the record is in the journal, in the log, or in both, and
its number tells a reader which records it has already seen. The journal is made anew for each block (never cut or
written over), so a reader that opened one sees it whole, whatever happens to its name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import zstandard
from attrs import frozen

from wireproxy.log import format as fmt
from wireproxy.log.errors import LogError
from wireproxy.log.sealing import Sealer
from wireproxy.log.signing import Signer

BLOCK_BYTES = 128 * 1024  # of records held in memory for each open session; twice as much compresses 3 % better
DIRECT_BYTES = (
    32 * 1024
)  # a record this long goes straight into a block: writing it twice costs more than compressing it
DEFAULT_PART_BYTES = 1024 * 1024 * 1024

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_compress = zstandard.ZstdCompressor(level=1).compress
_pack_length = fmt.LENGTH.pack


@frozen
class Names:
    """Where the files of one session lie."""

    directory: Path
    session: str

    def part(self, number: int) -> Path:
        return self.directory / (f"{self.session}.wplog" if number == 1 else f"{self.session}.{number:04}.wplog")

    @property
    def journal(self) -> Path:
        return self.directory / f"{self.session}.open"

    def remove(self) -> None:
        """Take away a log that was never begun."""
        for path in (self.journal, self.part(1)):
            try:
                path.unlink()
            except OSError:
                pass


class Appender:
    """The open files of one session. Not for several threads. Every method raises LogError, and from then on always."""

    def __init__(
        self,
        names: Names,
        header: fmt.Header,
        signer: Signer,
        sealer: Sealer | None,
        part_bytes: int = DEFAULT_PART_BYTES,
    ) -> None:
        self._names = names
        self._signer = signer
        self._sealer = sealer
        self._part_bytes = part_bytes
        self._fd = self._journal_fd = -1
        self._broken: str | None = None
        self.records = header.first  # accepted so far, in the whole session
        self._size = self._journal_size = 0  # bytes of both files
        self._block_at = 0  # offset of the last block
        self._link = self._first_link = b""  # after the last item; before the first
        self._record_link = self._journal_link = b""  # after the last record; the same of what is stored in the journal
        self.open_frames: list[bytes] = []  # records in the journal and in no block yet
        self._raw_bytes = 0
        self._unsigned = True
        try:
            self._begin(header)
        except LogError:
            if self._fd >= 0:  # ours, not one that was there before
                os.close(self._fd)
                names.remove()
            raise

    @property
    def link(self) -> bytes:
        """The link after the last item. What a ledger keeps to know the log by."""
        return self._link

    @property
    def first_link(self) -> bytes:
        return self._first_link

    @property
    def unsigned(self) -> bool:
        return self._unsigned

    @property
    def part(self) -> int:
        return self._header.part

    def descriptor(self) -> int:
        """A duplicate of the log's file descriptor, for a thread that syncs it. The caller closes it."""
        return os.dup(self._fd)

    def append(self, payload: bytes, through: bool = False) -> bool:
        """Record `payload`. `through`: it will be put into a block right after, so the journal may be spared.

        Returns whether the block is full: the caller closes it.
        """
        if self._broken is not None:
            raise LogError(self._broken)
        frame = _pack_length(len(payload)) + payload
        size = len(frame)
        link = sha256(self._record_link + frame).digest()
        raw_bytes = self._raw_bytes + size
        full = raw_bytes >= BLOCK_BYTES or size >= DIRECT_BYTES
        if not (full or through):
            stored = frame + link if self._sealer is None else self._seal(frame)
            if self._journal_fd < 0:
                self._open_journal()
            try:
                written = os.write(self._journal_fd, stored)
            except OSError as error:
                raise self._fail(f"the session log cannot be written: {error}") from error
            if written != len(stored):
                self._write(self._journal_fd, stored[written:], self._journal_size)
            self._journal_size += len(stored)
        elif size > fmt.RECORD_LIMIT_BYTES:
            raise self._fail(f"a record of {size} bytes is longer than the {fmt.RECORD_LIMIT_BYTES} of the format")
        self._record_link = link
        self.open_frames.append(frame)
        self._raw_bytes = raw_bytes
        self.records += 1
        return full

    def append_all(self, payloads: Sequence[bytes]) -> bool:
        """The same for several records that came together, with one write: a system call costs more than a record."""
        if self._broken is not None:
            raise LogError(self._broken)
        frames = [_pack_length(len(payload)) + payload for payload in payloads]
        size = sum(map(len, frames))
        if self._raw_bytes + size >= BLOCK_BYTES or size >= DIRECT_BYTES or self._sealer is not None:
            full = False
            for payload in payloads:
                full = self.append(payload) or full
            return full
        link = self._record_link
        stored: list[bytes] = []
        for frame in frames:
            link = sha256(link + frame).digest()
            stored += (frame, link)
        data = b"".join(stored)
        if self._journal_fd < 0:
            self._open_journal()
        try:
            written = os.write(self._journal_fd, data)
        except OSError as error:
            raise self._fail(f"the session log cannot be written: {error}") from error
        if written != len(data):
            self._write(self._journal_fd, data[written:], self._journal_size)
        self._journal_size += len(data)
        self._record_link = link
        self.open_frames += frames
        self._raw_bytes += size
        self.records += len(frames)
        return False

    def close_block(self, at_ns: int, signed: int | None) -> None:
        """Put the open block, if there is one, and a checkpoint of kind `signed`, if that is not None, into the log."""
        if self._broken is not None:
            raise LogError(self._broken)
        items = self._take_block()
        if signed is not None:
            items += self._sign(signed, at_ns)
        if items:
            self._write(self._fd, items, self._size)
            self._size += len(items)
            if not os.fstat(self._fd).st_nlink:
                raise self._fail(
                    f"the session log {self._names.part(self.part)} was removed while its session was open"
                )
        self._drop_journal()

    def is_full(self) -> bool:
        return self._size >= self._part_bytes

    def next_part(self, at_ns: int, header: fmt.Header, sealer: Sealer | None) -> None:
        """Sign this part as continued and begin the next. `header` needs no `part`, `previous` and `first`."""
        self.close_block(at_ns, fmt.SIGNED_CONTINUED)
        full = self._fd
        self._sealer = sealer
        header = fmt.Header(
            session=header.session,
            created_ns=at_ns,
            key_id=header.key_id,
            part=self._header.part + 1,
            previous=self._link,
            first=self.records,
            recipients=header.recipients,
        )
        try:
            self._begin(header)
        finally:
            os.close(full)

    def close(self) -> None:
        """Close the files. What is not in a block stays in the journal."""
        for descriptor in (self._journal_fd, self._fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._journal_fd = self._fd = -1
        if self._broken is None:
            self._broken = "the session log is closed"

    def _begin(self, header: fmt.Header) -> None:
        self._header = header
        encoded = fmt.encode_header(header)
        path = self._names.part(header.part)
        try:
            self._fd = os.open(path, _NEW, 0o600)
        except OSError as error:
            raise self._fail(f"the session log {path} cannot be made: {error}") from error
        self._write(self._fd, encoded, 0)
        self._size = len(encoded)
        self._block_at = 0
        self._link = self._first_link = self._record_link = fmt.first_link(encoded)
        self._unsigned = True

    def _take_block(self) -> bytes:
        if not self.open_frames:
            return b""
        raw = b"".join(self.open_frames) + self._record_link
        payload, coding = _compress(raw), fmt.ZSTD
        if len(payload) >= len(raw):
            payload, coding = raw, fmt.PLAIN
        first = self.records - len(self.open_frames)
        if self._sealer is not None:
            payload, coding = self._sealer.seal_block(first, payload), coding | fmt.SEALED
        item = fmt.encode_block(fmt.Block(first, len(self.open_frames), len(raw), coding, payload))
        self._block_at = self._size
        self._link = self._record_link = fmt.next_link(self._link, item)
        self.open_frames = []
        self._raw_bytes = 0
        self._unsigned = True
        return item

    def _sign(self, kind: int, at_ns: int) -> bytes:
        body = fmt.encode_checkpoint_body(kind, self.records, at_ns, self._block_at, self._link)
        item = fmt.encode_checkpoint(body, self._signer.sign(fmt.checkpoint_message(self._first_link, body)))
        self._link = self._record_link = fmt.next_link(self._link, item)
        self._unsigned = False
        return item

    def _seal(self, frame: bytes) -> bytes:
        assert self._sealer is not None
        if self._journal_fd < 0:
            self._journal_link = self._link
        sealed = self._sealer.seal_frame(self.records, frame, self._journal_link)
        self._journal_link = sha256(
            self._journal_link + sealed
        ).digest()  # a link over plain text would let it be guessed at
        return sealed + self._journal_link

    def _open_journal(self) -> None:
        head = fmt.JOURNAL.pack(fmt.JOURNAL_MAGIC, self.records, self._link)
        try:
            self._journal_fd = os.open(self._names.journal, _NEW, 0o600)
        except OSError as error:
            raise self._fail(f"the journal {self._names.journal} cannot be made: {error}") from error
        self._write(self._journal_fd, head, 0)
        self._journal_size = len(head)

    def _drop_journal(self) -> None:
        """Only after the block is in the log."""
        if self._journal_fd < 0:
            return
        try:
            os.unlink(self._names.journal)
            os.close(self._journal_fd)
        except OSError as error:
            raise self._fail(f"the journal {self._names.journal} cannot be removed: {error}") from error
        self._journal_fd = -1

    def _write(self, descriptor: int, data: bytes, size: int) -> None:
        """Write all of `data`. `size` is the file's length before: a write that fails half way is taken back."""
        view = memoryview(data)
        try:
            while view:
                written = os.write(descriptor, view)
                if written == 0:
                    raise OSError("nothing was written")
                view = view[written:]
        except OSError as error:
            try:
                os.ftruncate(descriptor, size)
            except OSError:
                pass  # a torn tail, which readers know how to tell from a whole one
            raise self._fail(f"the session log cannot be written: {error}") from error

    def _fail(self, reason: str) -> LogError:
        self._broken = reason
        return LogError(reason)
