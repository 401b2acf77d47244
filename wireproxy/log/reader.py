"""Reading session logs: lazily, one block in memory at a time, whatever the bytes are.

`walk` goes through one session, all its parts and the journal of the block still open, and yields what it meets in order:
records, signatures, and findings. It never raises for what stands in the files: damage is a finding, and what can still
be read behind it is yielded too, so that a replay shows it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from attrs import define, field, frozen

from wireproxy.log import format as fmt
from wireproxy.log.appender import Names
from wireproxy.log.errors import FormatError, TornError, UnknownSession
from wireproxy.log.files import open_regular
from wireproxy.log.findings import Finding, FindingKind
from wireproxy.log.records import EndRecord, Record, SessionStart
from wireproxy.log.sealing import AuditorKey, Sealer
from wireproxy.log.signing import Verifier

PART_NAME = re.compile(r"(?P<session>[A-Za-z0-9][A-Za-z0-9_-]{0,63})(?:\.(?P<part>\d{4,6}))?\.wplog\Z")


@frozen
class RecordAt:
    """A record, its number in the session, and whether it was read from the journal."""

    number: int
    record: Record
    journal: bool = False


@frozen
class SignedAt:
    """A checkpoint and whether its signature is valid; None: no key to tell."""

    checkpoint: fmt.Checkpoint
    valid: bool | None


Met = RecordAt | SignedAt | Finding


@define
class Progress:
    """Where a walk has got to. Filled while it goes; complete when it is over."""

    records: int = 0
    signed: int = 0  # of these, how many are covered by a checkpoint with a valid signature
    link: bytes = b""
    first_link: bytes = b""
    part: int = 0
    closed: bool = False  # a checkpoint of the end was met
    sealed: bool = False
    sealed_records: int = 0  # counted, but without a key to read them
    broken: bool = False  # the chain does not hold any more: reported once
    start: SessionStart | None = None
    end: EndRecord | None = None
    header: fmt.Header | None = None


@define
class Walk:
    """One pass over a session. `running`: its writer lives, so an end that is not there yet is no finding."""

    names: Names
    verifiers: Mapping[str, Verifier] = field(factory=dict)
    auditor: AuditorKey | None = None
    running: bool = False
    progress: Progress = field(factory=Progress)

    def __iter__(self) -> Iterator[Met]:
        # The journal first: a block that is closed meanwhile is then in the log too, and counted once by its number.
        journal = _read_journal(self.names.journal)
        more = True
        while more:
            more = yield from self._part(self.progress.part + 1)
        yield from self._journal(journal)
        yield from self._after()

    def _part(self, number: int) -> Generator[Met, None, bool]:
        """Yield what part `number` holds; return whether another must follow."""
        path = self.names.part(number)
        try:
            file = open_regular(path)
        except OSError as error:
            yield self._missing_part(number, path, error)
            return False
        with file:
            return (yield from self._read_part(_Part(path, number, file)))

    def _missing_part(self, number: int, path: Path, error: OSError) -> Finding:
        if number == 1:
            return Finding(FindingKind.UNREADABLE, f"cannot be opened: {error.strerror}", path)
        return Finding(
            FindingKind.PART, f"part {number} is missing, though part {number - 1} says that it follows", path
        )

    def _read_part(self, part: _Part) -> Generator[Met, None, bool]:
        try:
            header, encoded = read_header(part.file)
            part.sealer = self._unseal(header)
        except FormatError as error:
            if not (self.running and isinstance(error, TornError) and part.number > 1):
                yield Finding(FindingKind.UNREADABLE, str(error), part.path, error.offset)
            return False
        yield from self._header(part, header, encoded)
        offset = len(encoded)
        continued = False
        while True:
            try:
                item = read_item(part.file, offset)
            except FormatError as error:
                torn = isinstance(error, TornError)
                if not (torn and self.running):
                    kind = FindingKind.TORN if torn else FindingKind.DAMAGED
                    yield self._broken(str(error), part.path, error.offset, kind)
                return False
            if item is None:
                return continued
            if self.progress.closed or continued:
                yield Finding(FindingKind.TRAILING, "something stands behind the signed end", part.path, offset)
                self.progress.broken = True
                self.progress.closed = continued = False
            continued = yield from self._item(part, item, offset)
            self.progress.link = fmt.next_link(self.progress.link, item.stored)
            offset += len(item.stored)

    def _header(self, part: _Part, header: fmt.Header, encoded: bytes) -> Iterator[Met]:
        progress = self.progress
        if header.session != self.names.session:
            yield Finding(FindingKind.IDENTITY, f"is the log of session {header.session}", part.path, 0)
        if header.part != part.number or header.previous != (progress.link if part.number > 1 else b""):
            yield Finding(FindingKind.PART, f"is not part {part.number} of what came before", part.path, 0)
        if header.first != progress.records:
            yield self._broken("the header does not follow from what came before", part.path, 0)
        if self.verifiers and header.key_id not in self.verifiers:
            yield Finding(FindingKind.KEY, f"is signed by key {header.key_id}, which was not given", part.path, 0)
        part.verifier = self.verifiers.get(header.key_id)
        part.first_link = progress.link = fmt.first_link(encoded)
        progress.part = part.number
        progress.sealed = bool(header.recipients)
        if part.number == 1:
            progress.header, progress.first_link = header, part.first_link

    def _unseal(self, header: fmt.Header) -> Sealer | None:
        return self.auditor.unwrap(header.recipients) if self.auditor is not None and header.recipients else None

    def _item(self, part: _Part, item: Item, offset: int) -> Generator[Met, None, bool]:
        """Yield what an item holds; return whether it says that another part follows."""
        try:
            if item.type == fmt.BLOCK_ITEM:
                block = fmt.decode_block(item.body)
                part.block_at = offset
                yield from self._block(part, block, offset)
                return False
            checkpoint = fmt.decode_checkpoint(item.body)
        except FormatError as error:
            yield self._broken(str(error), part.path, offset, FindingKind.DAMAGED)
            return False
        yield from self._checkpoint(part, checkpoint, item.body, offset)
        return checkpoint.kind == fmt.SIGNED_CONTINUED

    def _block(self, part: _Part, block: fmt.Block, offset: int) -> Iterator[Met]:
        progress = self.progress
        if block.first != progress.records and not progress.broken:
            yield self._broken(f"record {progress.records} should follow, not {block.first}", part.path, offset)
        sealed = bool(block.coding & fmt.SEALED)
        if sealed != progress.sealed:
            yield self._broken("encrypted and plain blocks are mixed", part.path, offset)
        number = block.first
        if sealed and part.sealer is None:
            progress.sealed_records += block.count
        else:
            try:
                opened = part.sealer.open_block(block.first, block.payload) if sealed and part.sealer else block.payload
                for payload in fmt.iterate_frames(fmt.unpack_block(block, opened), block.count, progress.link):
                    yield from self._record(number, payload, part.path, offset)
                    number += 1
            except FormatError as error:
                if not progress.broken:
                    yield self._broken(str(error), part.path, offset, FindingKind.DAMAGED)
        progress.records = min(block.first + block.count, 1 << 63)

    def _record(self, number: int, payload: bytes, path: Path, offset: int, journal: bool = False) -> Iterator[Met]:
        progress = self.progress
        record = fmt.decode_record(payload)
        if (number == 0) != isinstance(record, SessionStart):
            yield Finding(
                FindingKind.ORDER, f"record {number} is out of place: a session has one start, first", path, offset
            )
        if progress.end is not None:
            yield Finding(FindingKind.ORDER, f"record {number} stands behind the end of the session", path, offset)
        if isinstance(record, SessionStart):
            progress.start = progress.start or record
            if record.session != self.names.session:
                yield Finding(FindingKind.IDENTITY, f"starts session {record.session}", path, offset)
        elif isinstance(record, EndRecord):
            progress.end = record
        yield RecordAt(number, record, journal)

    def _checkpoint(self, part: _Part, checkpoint: fmt.Checkpoint, body: bytes, offset: int) -> Iterator[Met]:
        progress = self.progress
        valid: bool | None = None
        if part.verifier is not None:
            message = fmt.checkpoint_message(part.first_link, body[: -fmt.SIGNATURE_BYTES])
            valid = part.verifier.valid(checkpoint.signature, message)
        if valid is False:
            yield Finding(
                FindingKind.SIGNATURE, "a checkpoint does not have the gateway's signature", part.path, offset
            )
        if checkpoint.link != progress.link and not progress.broken:
            yield self._broken("what a checkpoint signed is not what stands before it", part.path, offset)
        if (checkpoint.records, checkpoint.block_at) != (progress.records, part.block_at) and not progress.broken:
            yield self._broken("a checkpoint counts other records than there are", part.path, offset)
        if valid and not progress.broken:
            progress.signed = progress.records
        if checkpoint.kind == fmt.SIGNED_END:
            progress.closed = True
            if progress.end is None and not progress.sealed and not progress.broken:
                yield self._broken("a signed end without the record of an end", part.path, offset)
        yield SignedAt(checkpoint, valid)

    def _journal(self, stored: bytes | None) -> Iterator[Met]:
        """The block that was open. One that is in the log already (the gateway died before it was removed) adds nothing."""
        path, progress = self.names.journal, self.progress
        if not stored or (self.running and len(stored) < fmt.JOURNAL.size):
            return  # an empty one: the writer died, or its disk was full, between making it and its first record
        if len(stored) < fmt.JOURNAL.size:
            yield Finding(FindingKind.TORN, "the journal ends inside its head", path, 0)
            return
        magic, first, link = fmt.JOURNAL.unpack_from(stored)
        if magic != fmt.JOURNAL_MAGIC or len(stored) > fmt.JOURNAL_LIMIT_BYTES:
            yield Finding(FindingKind.DAMAGED, "the journal is not one", path, 0)
            return
        if first < progress.records:
            return
        if first > progress.records or link != progress.link:
            if not progress.broken:
                yield self._broken("the journal does not follow from the log", path, 0)
            link = link if progress.broken else progress.link
        if progress.closed:
            yield Finding(FindingKind.TRAILING, "a journal stands behind the signed end", path, 0)
            progress.closed = False
        yield from self._journal_records(stored, first, link)

    def _journal_records(self, stored: bytes, number: int, link: bytes) -> Iterator[Met]:
        path, progress, offset = self.names.journal, self.progress, fmt.JOURNAL.size
        try:
            sealer = (
                self._unseal(progress.header)
                if progress.header is not None and progress.part == 1
                else self._last_sealer()
            )
        except FormatError as error:
            yield Finding(FindingKind.DAMAGED, str(error), path, 0)
            return
        while offset < len(stored):
            cut = _cut_frame(stored, offset)
            if cut is None:
                if not self.running:
                    yield Finding(
                        FindingKind.TORN, "the journal ends inside a record that was being written", path, offset
                    )
                return
            payload, after = cut
            before, link = link, fmt.next_link(link, stored[offset : after - fmt.LINK_BYTES])
            if link != stored[after - fmt.LINK_BYTES : after]:
                yield self._broken("a record of the journal does not chain to the one before it", path, offset)
                return
            try:
                if progress.sealed and sealer is None:
                    progress.sealed_records += 1
                else:
                    opened = sealer.open_frame(number, payload, before) if sealer is not None else payload
                    yield from self._record(number, opened, path, offset, journal=True)
            except FormatError as error:
                yield self._broken(str(error), path, offset, FindingKind.DAMAGED)
                return
            offset, number = after, number + 1
            progress.records = number

    def _last_sealer(self) -> Sealer | None:
        with open_regular(self.names.part(self.progress.part)) as file:
            return self._unseal(read_header(file)[0])

    def _after(self) -> Iterator[Met]:
        progress = self.progress
        if progress.closed:
            extra = self.names.part(progress.part + 1)
            if extra.exists():
                yield Finding(FindingKind.PART, "a part stands behind the signed end", extra)
        elif not self.running and progress.part:
            loose = progress.records - progress.signed
            yield Finding(
                FindingKind.NOT_CLOSED, _not_closed(loose, bool(self.verifiers)), self.names.part(progress.part)
            )

    def _broken(self, message: str, path: Path, offset: int | None, kind: FindingKind = FindingKind.CHAIN) -> Finding:
        self.progress.broken = True
        return Finding(kind, message, path, offset)


def _not_closed(loose: int, verified: bool) -> str:
    if not verified:
        return "not closed: no signed end"
    records = "1 record" if loose == 1 else f"{loose} records"
    return f"not closed: {records} after the last checkpoint are chained but unsigned; later ones may be missing"


@define
class _Part:
    path: Path
    number: int
    file: BinaryIO
    first_link: bytes = b""
    block_at: int = 0
    verifier: Verifier | None = None
    sealer: Sealer | None = None


@frozen
class Item:
    type: bytes
    body: bytes
    stored: bytes


def read_header(file: BinaryIO) -> tuple[fmt.Header, bytes]:
    prefix = file.read(fmt.PREFIX.size)
    if len(prefix) < fmt.PREFIX.size:
        raise TornError("the file ends inside its header", 0)
    length = fmt.decode_prefix(prefix)
    body = file.read(length)
    if len(body) < length:
        raise TornError("the file ends inside its header", fmt.PREFIX.size)
    return fmt.decode_header(body), prefix + body


def read_item(file: BinaryIO, offset: int) -> Item | None:
    head = file.read(fmt.ITEM.size)
    if not head:
        return None
    if len(head) < fmt.ITEM.size:
        raise TornError("the file ends inside an item", offset)
    kind, length = fmt.ITEM.unpack(head)
    if kind not in (fmt.BLOCK_ITEM, fmt.CHECKPOINT_ITEM):
        raise FormatError(f"an item of the unknown type {kind!r}", offset)
    if length > fmt.BLOCK_LIMIT_BYTES:
        raise FormatError(f"an item of {length} bytes is longer than an item can be", offset)
    body = file.read(length)
    if len(body) < length:
        raise TornError("the file ends inside an item", offset)
    return Item(kind, body, head + body)


def _cut_frame(stored: bytes, offset: int) -> tuple[bytes, int] | None:
    """The payload of the journal's record at `offset`, and the offset behind its link. None: it is not all there."""
    start = offset + fmt.LENGTH.size
    if start > len(stored):
        return None
    end = start + int.from_bytes(stored[offset:start], "big")
    if end + fmt.LINK_BYTES > len(stored):
        return None
    return stored[start:end], end + fmt.LINK_BYTES


def _read_journal(path: Path) -> bytes | None:
    try:
        with open_regular(path) as file:
            return file.read(fmt.JOURNAL_LIMIT_BYTES + 1)
    except OSError:
        return None


def find_logs(directory: Path) -> Iterator[Names]:
    """Every session whose log lies in the directory, oldest day first."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        for path in sorted(folder.glob("*.wplog")):
            match = PART_NAME.match(path.name)
            if match and not match["part"]:
                yield Names(folder, match["session"])


def find_session(directory: Path, prefix: str) -> Names:
    """The session whose id begins with `prefix`. Raises UnknownSession when there is none, or more than one."""
    found = [names for names in find_logs(directory) if names.session.startswith(prefix)]
    exact = [names for names in found if names.session == prefix]
    found = exact or found
    if not found:
        raise UnknownSession(f"no session begins with {prefix!r} in {directory}")
    if len(found) > 1:
        some = ", ".join(names.session for names in found[:4])
        raise UnknownSession(
            f"{prefix!r} fits {len(found)} sessions ({some}{', …' if len(found) > 4 else ''}): give more of it"
        )
    return found[0]
