"""`SessionLog`: what the gateway calls. Each method returns when its record would outlive the process, or raises LogError.

Two clocks: `clock_ns` may be any steady one, only differences of it are kept; the wall time is `SessionStart.started_ns`
plus the difference. Not for several threads.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from rules.model import Dialect
from rules.redaction import may_hold_secret, redact_named, redact_parameters, redact_prose, redact_secrets
from wireproxy.log import format as fmt
from wireproxy.log import records as rec
from wireproxy.log.appender import DEFAULT_PART_BYTES, Appender, Names
from wireproxy.log.errors import LogError
from wireproxy.log.ledger import Ledger
from wireproxy.log.sealing import Auditor, new_key
from wireproxy.log.signing import Signer
from wireproxy.log.syncing import Job, Sync, syncer

BLOCK_AGE_NS = (
    1_000_000_000  # a record is compressed and signed at most this long after it was made, while `tick` is called
)
TEXT_LIMIT_BYTES = 16 * 1024 * 1024  # of a statement; longer ones are cut here, marked, and known by their digest
PARAMETERS_LIMIT_BYTES = 16 * 1024 * 1024  # of all parameters of a statement together
ROWS_CHUNK_BYTES = 1024 * 1024  # one record of rows
_REASONS_KEPT = 64
_HEADS_KEPT = 16
_HEAD_KEPT_COLUMNS = 256
_REASONS_KEPT_BYTES = 512  # longer ones quote what will not come again

ColumnHead = tuple[str, int, int] | tuple[str, int, int, int]
"""Name, type, format, and MySQL's column flags."""

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_encode = fmt.encode_record


def new_session_id() -> str:
    """Random, so that a short prefix names one."""
    return os.urandom(8).hex()


class SessionLog:
    """The log of one session, from its first record on."""

    def __init__(
        self,
        directory: Path,
        start: rec.SessionStart,
        signer: Signer,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        *,
        sync: Sync = "decisions",
        auditors: Sequence[Auditor] = (),
        part_bytes: int = DEFAULT_PART_BYTES,
        ledger: Ledger | None = None,
    ) -> None:
        if not _SESSION_ID.match(start.session):
            raise LogError(f"{start.session!r} cannot be a session id: letters, digits, - and _, at most 64")
        self.session_id = start.session
        self._dialect = Dialect(start.dialect)
        self._clock_ns = clock_ns
        self._zero_ns = clock_ns()
        self._started_ns = start.started_ns
        self._sync: Sync = sync
        self._sync_failure: str | None = None
        self._sync_queued = False
        self._synced_part = 0
        self._auditors = tuple(auditors)
        self._key_id = signer.key_id
        self._block_since_ns = 0
        self._signed_ns = 0
        self._statements = self._held = self._denied = self._errors = self._rows = self._bytes = 0  # in all
        self._plain = b""  # the last text in which no secret can be: what is prepared comes again and again
        self._shown_reasons: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._heads: dict[int, tuple[Sequence[ColumnHead], tuple[rec.Column, ...]]] = {}
        self._waiting: list[bytes] = []  # records that the next write takes along
        self._waiting_ns = 0  # when the first of them was made
        self._ended = False
        day = time.strftime("%Y-%m-%d", time.gmtime(start.started_ns // 1_000_000_000))
        self._ledger = ledger if ledger is not None else ledger_of(directory, signer)
        self._names = Names(_folder(directory / day), start.session)
        self.path = self._names.part(1)
        sealer, recipients = new_key(self._auditors)
        header = fmt.Header(start.session, start.started_ns, self._key_id, recipients=recipients)
        self._appender = Appender(self._names, header, signer, sealer, part_bytes)
        try:
            parameters = {name: redact_prose(value, self._dialect) for name, value in start.parameters.items()}
            self._append(msgspec.structs.replace(start, parameters=parameters), 0)
            self._ledger.started(start.session, self.path.relative_to(directory).as_posix(), self._appender.first_link)
        except BaseException:
            self._appender.close()
            self._names.remove()  # nothing happened in this session, and no ledger knows it
            raise

    def statement(
        self,
        ticket: int,
        stage: str,
        text: bytes,
        parameters: Sequence[bytes | None] | None,
        parameter_formats: Sequence[int],
        action: str,
        rule: str,
        reasons: Sequence[str],
        transaction: str,
        request_id: str | None = None,
        kinds: Sequence[str] = (),
        truncated: bool = False,
        backslash_escapes: bool | None = None,
        parameter_types: Sequence[int] = (),
        attributes: Sequence[tuple[bytes, bytes | None]] = (),
        *,
        later: bool = False,
    ) -> None:
        """A statement, and what was decided. Give the exact text and values: passwords are taken out here.

        Anything but `allow` and `observe` closes the block with a signed checkpoint. `backslash_escapes`: whether the
        server reads backslashes in ordinary literals; None: as the dialect does unless told otherwise. `later`: the record
        of an allowed one waits for the next, or for `flush`; nothing may be done about it before that has returned.
        """
        at_ns = self._clock_ns() - self._zero_ns
        redacted, digest = False, None
        if len(text) > TEXT_LIMIT_BYTES:
            text, digest, truncated = text[:TEXT_LIMIT_BYTES], sha256(text).digest(), True
        if text is not self._plain and not may_hold_secret(text):
            self._plain = text
        if text is not self._plain:
            digest = digest or sha256(text).digest()
            exact, given = text, parameters
            if given is not None:
                parameters = redact_parameters(exact, given, self._dialect, backslash_escapes)
                redacted = any(shown is not value for shown, value in zip(parameters, given, strict=True))
            text = redact_secrets(exact, self._dialect, backslash_escapes)
            redacted = redacted or text != exact
            digest = digest if text != exact or truncated else None
        if attributes:
            shown = tuple([(name, redact_named(name, value, self._dialect)) for name, value in attributes])
            redacted = redacted or shown != attributes
            attributes = shown
        if parameters and _size(parameters) > PARAMETERS_LIMIT_BYTES:
            parameters, truncated = _cut(parameters), True
        record = rec.StatementRecord(
            at_ns,
            ticket,
            stage,
            text,
            None if parameters is None else tuple(parameters),
            tuple(parameter_formats),
            action,
            rule,
            self._reasons(reasons) if reasons else (),
            transaction,
            request_id,
            tuple(kinds),
            truncated,
            redacted,
            digest,
            tuple(parameter_types),
            tuple(attributes),
        )
        self._statements += 1
        if action not in {"allow", "observe"}:
            self._count(action)
            self._append_signed(record, at_ns)
        elif later:
            self._wait([record], at_ns)
        else:
            self._append(record, at_ns)

    def decision(
        self,
        ticket: int,
        action: str,
        rule: str,
        reasons: Sequence[str],
        stage: str = "",
        request_id: str | None = None,
    ) -> None:
        """A later decision about a ticket whose statement is recorded already."""
        at_ns = self._clock_ns() - self._zero_ns
        record = rec.DecisionRecord(at_ns, ticket, action, rule, self._reasons(reasons), stage, request_id)
        if action in {"allow", "observe"}:
            self._append(record, at_ns)
        else:
            self._count(action)
            self._append_signed(record, at_ns)

    def verdict(self, ticket: int, request_id: str, verdict: str, approver: str, reason: str) -> None:
        """What became of a held statement; signed before this returns."""
        at_ns = self._clock_ns() - self._zero_ns
        self._append_signed(rec.VerdictRecord(at_ns, ticket, request_id, verdict, approver, reason), at_ns)

    def rows(
        self, ticket: int, head_columns: Sequence[ColumnHead] | None, frames: bytes, truncated: bool = False
    ) -> None:
        """The description of a result, if `head_columns` is given, and rows as the client gets them, in whole frames."""
        at_ns = self._clock_ns() - self._zero_ns
        if head_columns is not None:
            self._append(rec.HeadRecord(at_ns, ticket, self._columns(head_columns)), at_ns)
        for start in range(0, len(frames), ROWS_CHUNK_BYTES):
            chunk = frames[start : start + ROWS_CHUNK_BYTES]
            last = start + ROWS_CHUNK_BYTES >= len(frames)
            self._append(rec.RowsRecord(at_ns, ticket, bytes(chunk), truncated and last), at_ns)
        if truncated and not frames:
            self._append(rec.RowsRecord(at_ns, ticket, b"", True), at_ns)

    def completion(self, ticket: int, tag: str, rows: int, bytes: int, elapsed_ns: int, *, later: bool = False) -> None:
        """The server is done with the ticket. `bytes` is the size of its result on the wire. `later`: as of `statement`."""
        at_ns = self._clock_ns() - self._zero_ns
        self._rows += rows
        self._bytes += bytes
        record = rec.CompletionRecord(at_ns, ticket, tag, rows, bytes, elapsed_ns)
        if later:
            self._wait([record], at_ns)
        else:
            self._append(record, at_ns)

    def result(
        self,
        ticket: int,
        head_columns: Sequence[ColumnHead] | None,
        frames: bytes,
        tag: str,
        rows: int,
        bytes: int,
        elapsed_ns: int,
        *,
        later: bool = False,
    ) -> None:
        """`rows` and `completion` of a result that came whole, with one write. `frames` must not be long."""
        at_ns = self._clock_ns() - self._zero_ns
        self._rows += rows
        self._bytes += bytes
        records: list[rec.Record] = []
        if head_columns is not None:
            records.append(rec.HeadRecord(at_ns, ticket, self._columns(head_columns)))
        if frames:
            records.append(rec.RowsRecord(at_ns, ticket, frames, False))
        records.append(rec.CompletionRecord(at_ns, ticket, tag, rows, bytes, elapsed_ns))
        self._wait(records, at_ns)
        if not later:
            self.flush()

    def flush(self) -> None:
        """Write what waits, all with one write: a system call costs more than a record.

        Where that fails it goes on to fail: what waits is not forgotten, so that nothing can be done about it.
        """
        if not self._waiting:
            return
        if self._sync_failure is not None:
            raise LogError(self._sync_failure)
        appender, at_ns = self._appender, self._waiting_ns
        if not appender.open_frames:
            self._block_since_ns = at_ns
        if appender.append_all(self._waiting):
            self._close_block(at_ns, fmt.SIGNED_RUNNING if at_ns - self._signed_ns >= BLOCK_AGE_NS else None)
        elif at_ns - self._block_since_ns >= BLOCK_AGE_NS:
            self._close_block(at_ns, fmt.SIGNED_RUNNING)
        self._waiting = []

    def error(self, ticket: int | None, fields: Mapping[str, str]) -> None:
        """An error as the client gets it; None: it belongs to no statement."""
        at_ns = self._clock_ns() - self._zero_ns
        self._errors += 1
        shown = {name: redact_prose(value, self._dialect) for name, value in fields.items()}
        self._append(rec.ErrorRecord(at_ns, ticket, shown), at_ns)

    @property
    def encrypted(self) -> bool:
        """Nobody but the auditors can read it."""
        return bool(self._auditors)

    def event(self, name: str, detail: Mapping[str, str]) -> None:
        at_ns = self._clock_ns() - self._zero_ns
        shown = {key: redact_prose(value, self._dialect) for key, value in detail.items()}
        self._append(rec.EventRecord(at_ns, name, shown), at_ns)

    def end(self, reason: str) -> None:
        """Close the log with a signature. A second call does nothing."""
        if self._ended:
            return
        at_ns = self._clock_ns() - self._zero_ns
        try:
            totals = self._statements, self._held, self._denied, self._errors, self._rows, self._bytes
            self._append(rec.EndRecord(at_ns, reason, *totals), at_ns, through=True)
            self._close_block(at_ns, fmt.SIGNED_END)
            self._bring_to_disk()
            appender = self._appender
            self._ledger.ended(self.session_id, appender.link, appender.records, appender.part)
        except LogError as error:
            self.abandon(str(error))
            raise
        self._ended = True
        self._appender.close()

    def tick(self) -> None:
        """Call about once a second: a block that has been open for one is compressed and signed."""
        if self._ended:
            return
        at_ns = self._clock_ns() - self._zero_ns
        if self._appender.open_frames:
            if at_ns - self._block_since_ns >= BLOCK_AGE_NS:
                self._close_block(at_ns, fmt.SIGNED_RUNNING)
        elif self._appender.unsigned and at_ns - self._signed_ns >= BLOCK_AGE_NS:
            self._close_block(at_ns, fmt.SIGNED_RUNNING)

    def abandon(self, reason: str) -> None:
        """Close the files and write no more records, as after a LogError. The log stays unclosed, and says so."""
        if self._ended:
            return
        self._ended = True
        self._appender.close()
        try:
            self._ledger.abandoned(self.session_id, reason)
        except LogError:
            pass  # the same full disk, most likely; the log is unclosed in any case

    def _append(self, record: rec.Record, at_ns: int, through: bool = False) -> None:
        self.flush()
        if self._sync_failure is not None:
            raise LogError(self._sync_failure)
        appender = self._appender
        if not appender.open_frames:
            self._block_since_ns = at_ns
        try:
            payload = _encode(record)
        except (UnicodeEncodeError, OverflowError, TypeError):
            payload = _encode_anyway(record)
        full = appender.append(payload, through)
        if through:
            return
        if full:
            self._close_block(at_ns, fmt.SIGNED_RUNNING if at_ns - self._signed_ns >= BLOCK_AGE_NS else None)
        elif at_ns - self._block_since_ns >= BLOCK_AGE_NS:
            self._close_block(at_ns, fmt.SIGNED_RUNNING)

    def _wait(self, records: list[rec.Record], at_ns: int) -> None:
        if not self._waiting:
            self._waiting_ns = at_ns
        try:
            payloads = [_encode(record) for record in records]
        except (UnicodeEncodeError, OverflowError, TypeError):
            payloads = [_encode_anyway(record) for record in records]
        self._waiting += payloads

    def _append_signed(self, record: rec.Record, at_ns: int) -> None:
        self._append(record, at_ns, through=True)
        self._close_block(at_ns, fmt.SIGNED_RUNNING)
        self._bring_to_disk()

    def _close_block(self, at_ns: int, signed: int | None) -> None:
        self._appender.close_block(self._started_ns + at_ns, signed)
        if signed is not None:
            self._signed_ns = at_ns
        if self._appender.is_full() and signed != fmt.SIGNED_END:
            self._next_part(at_ns)

    def _next_part(self, at_ns: int) -> None:
        sealer, recipients = new_key(self._auditors)
        header = fmt.Header(self.session_id, 0, self._key_id, recipients=recipients)
        self._appender.next_part(self._started_ns + at_ns, header, sealer)
        self._signed_ns = at_ns

    def _bring_to_disk(self) -> None:
        if self._sync == "never" or self._sync_queued:
            return  # queued and not begun: it will take in what was written meanwhile
        try:
            jobs = [self._job(self._appender.descriptor())]
            if self._synced_part != self._appender.part:  # the name of a new file must be on the disk too
                jobs.append(self._job(os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)))
        except OSError as error:
            raise LogError(f"the session log cannot be brought to the disk: {error}") from error
        self._synced_part = self._appender.part
        self._sync_queued = True
        for job in jobs:
            if self._sync == "decisions":
                syncer().submit(job)
            else:
                job.run()
        if self._sync == "wait" and self._sync_failure is not None:
            raise LogError(self._sync_failure)

    def _job(self, descriptor: int) -> Job:
        return Job(descriptor, self._note_sync_begins, self._note_sync_failure)

    def _note_sync_begins(self) -> None:
        self._sync_queued = False

    def _note_sync_failure(self, reason: str) -> None:
        self._sync_failure = reason

    def _columns(self, head: Sequence[ColumnHead]) -> tuple[rec.Column, ...]:
        """Sessions give the same object for the same head."""
        known = self._heads.get(id(head))
        if known is not None and known[0] is head:
            return known[1]
        columns = tuple([rec.Column(*column) for column in head])
        if isinstance(head, tuple) and len(head) <= _HEAD_KEPT_COLUMNS:
            if len(self._heads) >= _HEADS_KEPT:
                self._heads.clear()
            self._heads[id(head)] = head, columns
        return columns

    def _reasons(self, reasons: Sequence[str]) -> tuple[str, ...]:
        """They may quote the statement. The same few come again and again."""
        given = tuple(reasons)
        shown = self._shown_reasons.get(given)
        if shown is None:
            shown = tuple([redact_prose(reason, self._dialect) for reason in given])
            if len(self._shown_reasons) >= _REASONS_KEPT:
                self._shown_reasons.clear()
            if sum(map(len, given)) <= _REASONS_KEPT_BYTES:
                self._shown_reasons[given] = shown
        return shown

    def _count(self, action: str) -> None:
        if action == "hold":
            self._held += 1
        elif action == "deny":
            self._denied += 1


_ledgers: dict[tuple[int, Path], Ledger] = {}  # by process id too: a fork needs a ledger, and a lock, of its own


def ledger_of(directory: Path, signer: Signer) -> Ledger:
    """The ledger of this process in `directory`, made at the first call."""
    key = (os.getpid(), directory.absolute())
    if key not in _ledgers:
        _folder(directory)
        _ledgers[key] = Ledger(directory, signer)
    return _ledgers[key]


def close_ledgers() -> None:
    """Sign off in every ledger of this process. For the end of the gateway, after its last session."""
    for key in [key for key in _ledgers if key[0] == os.getpid()]:
        _ledgers.pop(key).close()


def _folder(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(f"the log directory {path} cannot be made: {error}") from error
    return path


def _size(parameters: Sequence[bytes | None]) -> int:
    size = 0
    for value in parameters:
        if value is not None:
            size += len(value)
    return size


def _cut(parameters: Sequence[bytes | None]) -> list[bytes | None]:
    """Keep the beginning of each value, as far as all of them may take up."""
    share = PARAMETERS_LIMIT_BYTES // max(len(parameters), 1)
    return [None if value is None else value[:share] for value in parameters]


def _encode_anyway(record: rec.Record) -> bytes:
    """Text that is not Unicode (a lone surrogate in a server's message) is written with escapes; nothing else is bent."""
    try:
        cleaned = {name: _clean(value) for name, value in msgspec.structs.asdict(record).items()}
        return _encode(msgspec.structs.replace(record, **cleaned))
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError) as error:
        raise LogError(f"a record cannot be written: {error}") from error


def _clean(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case tuple():
            return tuple(_clean(item) for item in value)
        case _:
            return value
