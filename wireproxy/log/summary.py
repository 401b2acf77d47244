"""What a list of sessions shows of each. A closed log is read at its two ends only; the list proves nothing, `verify` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from attrs import frozen

from wireproxy.log import format as fmt
from wireproxy.log.appender import Names
from wireproxy.log.books import Books
from wireproxy.log.errors import FormatError
from wireproxy.log.files import open_regular
from wireproxy.log.findings import Finding
from wireproxy.log.reader import RecordAt, Walk, find_logs, read_header, read_item
from wireproxy.log.records import CompletionRecord, EndRecord, ErrorRecord, SessionStart, StatementRecord
from wireproxy.log.sealing import AuditorKey

State = Literal["open", "closed", "torn"]


@frozen
class Summary:
    session: str
    path: Path
    state: State
    start: SessionStart | None  # None: it cannot be read, or is encrypted
    started_ns: int
    duration_ns: int
    statements: int = 0
    held: int = 0
    denied: int = 0
    errors: int = 0
    rows: int = 0
    sealed: bool = False  # encrypted, and no key to read it
    findings: tuple[Finding, ...] = ()


def summarize(names: Names, books: Books, auditor: AuditorKey | None = None) -> Summary:
    running = books.is_running(names.session)
    try:
        quick = None if running else _from_both_ends(names, auditor)
    except (FormatError, OSError):
        quick = None
    return quick or _from_a_walk(names, auditor, running)


def summarize_all(directory: Path, books: Books, auditor: AuditorKey | None = None) -> Iterator[Summary]:
    for names in find_logs(directory):
        yield summarize(names, books, auditor)


def _from_both_ends(names: Names, auditor: AuditorKey | None) -> Summary | None:
    """None: it is not closed, so all of it must be read."""
    with open_regular(names.part(1)) as file:
        header, encoded = read_header(file)
        start = _record_of(file, len(encoded), header, auditor, last=False)
        if header.session != names.session or not (start is None or isinstance(start, SessionStart)):
            return None
    last = 1
    while names.part(last + 1).exists():
        last += 1
    with open_regular(names.part(last)) as file:
        header, _ = read_header(file)
        file.seek(-(fmt.ITEM.size + fmt.CHECKPOINT_BYTES), 2)
        item = read_item(file, 0)
        if item is None or item.type != fmt.CHECKPOINT_ITEM or file.read(1):
            return None
        checkpoint = fmt.decode_checkpoint(item.body)
        if checkpoint.kind != fmt.SIGNED_END:
            return None
        end = _record_of(file, checkpoint.block_at, header, auditor, last=True)
    return _closed(names, header, start, end, checkpoint)


def _closed(
    names: Names, header: fmt.Header, start: SessionStart | None, end: object, checkpoint: fmt.Checkpoint
) -> Summary | None:
    started_ns = start.started_ns if start is not None else header.created_ns
    duration_ns = max(checkpoint.at_ns - started_ns, 0)
    if not isinstance(end, EndRecord):
        sealed = end is None and bool(header.recipients)
        return (
            Summary(names.session, names.part(1), "closed", start, started_ns, duration_ns, sealed=sealed)
            if sealed
            else None
        )
    return Summary(
        names.session, names.part(1), "closed", start, started_ns, end.at_ns,
        end.statements, end.held, end.denied, end.errors, end.rows,
    )  # fmt: skip


def _record_of(
    file: BinaryIO, offset: int, header: fmt.Header, auditor: AuditorKey | None, *, last: bool
) -> SessionStart | EndRecord | None:
    """The first or last record of the block at `offset`, if it is a start or an end. None: sealed, or another record."""
    file.seek(offset)
    item = read_item(file, offset)
    if item is None or item.type != fmt.BLOCK_ITEM:
        raise FormatError("no block stands where one should", offset)
    block = fmt.decode_block(item.body)
    payload = block.payload
    if header.recipients:
        sealer = auditor.unwrap(header.recipients) if auditor is not None else None
        if sealer is None:
            return None
        payload = sealer.open_block(block.first, payload)
    frames = fmt.cut_frames(fmt.unpack_block(block, payload), block.count)
    found = deque(frames, maxlen=1) if last else deque(islice(frames, 1))
    record = fmt.decode_record(found[0]) if found else None
    return record if isinstance(record, SessionStart | EndRecord) else None


def _from_a_walk(names: Names, auditor: AuditorKey | None, running: bool) -> Summary:
    walk = Walk(names, auditor=auditor, running=running)
    statements = held = denied = errors = rows = last_ns = 0
    findings: list[Finding] = []
    for met in walk:
        if isinstance(met, Finding):
            if len(findings) < 10:
                findings.append(met)
            continue
        if not isinstance(met, RecordAt) or isinstance(met.record, SessionStart):
            continue
        last_ns = max(last_ns, met.record.at_ns)
        match met.record:
            case StatementRecord(action=action):
                statements += 1
                held += action == "hold"
                denied += action == "deny"
            case ErrorRecord():
                errors += 1
            case CompletionRecord(rows=more):
                rows += more
            case _:
                pass
    progress = walk.progress
    start = progress.start
    started_ns = start.started_ns if start is not None else progress.header.created_ns if progress.header else 0
    state: State = (
        "open" if running and not progress.closed else "closed" if progress.closed and not findings else "torn"
    )
    return Summary(
        names.session, names.part(1), state, start, started_ns, last_ns,
        statements, held, denied, errors, rows, bool(progress.sealed_records), tuple(findings),
    )  # fmt: skip
