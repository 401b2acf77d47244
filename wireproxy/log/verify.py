"""Proving session logs with the public key alone: each log for itself, the ledgers, and the two against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import define, field, frozen

from wireproxy.log.appender import Names
from wireproxy.log.errors import FormatError
from wireproxy.log.ledger import (
    FOLDER,
    Abandoned,
    Closed,
    Ended,
    Opened,
    Pin,
    Started,
    entry_message,
    is_alive,
    ledger_paths,
    read_entries,
)
from wireproxy.log.reader import PART_NAME, Finding, FindingKind, Progress, Walk, find_logs
from wireproxy.log.signing import Verifier

Verifiers = Mapping[str, Verifier]
FINDINGS_LIMIT = 100  # of one log: a hostile file could have millions


@define
class Listing:
    """What the ledgers say about one session."""

    started: Started | None = None
    ended: Ended | None = None
    abandoned: Abandoned | None = None
    alive: bool = False  # the process that began it still runs


@define
class Books:
    """All ledgers of a directory, read once."""

    sessions: dict[str, Listing] = field(factory=dict)
    findings: list[Finding] = field(factory=list)
    notices: list[str] = field(factory=list)
    present: bool = False  # there is a ledger at all

    def is_running(self, session: str) -> bool:
        listing = self.sessions.get(session)
        return listing is not None and listing.alive and listing.ended is None and listing.abandoned is None


@frozen
class Verdict:
    """What `verify` has to say about one session. `state`: closed, open (its gateway runs) or torn."""

    session: str
    path: Path
    state: str
    records: int
    signed: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.findings


def key_ring(verifiers: Iterable[Verifier]) -> Verifiers:
    return {verifier.key_id: verifier for verifier in verifiers}


def read_books(directory: Path, verifiers: Verifiers) -> Books:
    """Read every ledger. With no verifiers signatures are not looked at."""
    books = Books()
    pins: dict[str, list[tuple[Path, Pin]]] = {}
    ends: dict[Path, _LedgerEnd] = {}
    for path in ledger_paths(directory):
        books.present = True
        ends[path] = _read_ledger(path, verifiers, books, pins)
    for path, end in ends.items():
        _check_pins(path, end, pins.pop(path.name, []), books)
    for name, missing in pins.items():
        where = missing[0][0]
        _find(books, f"the ledger {name} is gone, which {where.name} knew", directory / FOLDER / name)
    return books


@define
class _LedgerEnd:
    """How far a ledger goes, and the links at the offsets in it."""

    alive: bool
    closed: bool = False
    size_bytes: int = 0
    torn: bool = False
    links: dict[int, bytes] = field(factory=dict)


def _read_ledger(path: Path, verifiers: Verifiers, books: Books, pins: dict[str, list[tuple[Path, Pin]]]) -> _LedgerEnd:
    end = _LedgerEnd(is_alive(path))
    known: Verifier | None = None
    try:
        for stored in read_entries(path):
            entry = stored.entry
            if end.closed:
                _find(books, "entries stand behind its end", path)
            if isinstance(entry, Opened) != (end.size_bytes == 0):
                _find(books, "a ledger opens once, with its first entry", path)
            if isinstance(entry, Opened):
                known = verifiers.get(entry.key_id)
                if verifiers and known is None:
                    books.findings.append(
                        Finding(FindingKind.KEY, f"is signed by key {entry.key_id}, which was not given", path)
                    )
                if entry.ledger != path.name:
                    _find(books, f"is the ledger {entry.ledger} under another name", path)
                for pin in entry.pins:
                    pins.setdefault(pin.ledger, []).append((path, pin))
            if known is not None and not known.valid(stored.signature, entry_message(stored.link)):
                books.findings.append(
                    Finding(
                        FindingKind.SIGNATURE, "an entry does not have the gateway's signature", path, end.size_bytes
                    )
                )
                return end
            _enter(stored.entry, path, end, books)
            end.size_bytes = stored.end
            end.links[stored.end] = stored.link
    except FormatError as error:
        end.torn = True
        if not end.alive:
            _find(books, str(error), path, error.offset)
    except OSError as error:
        _find(books, f"cannot be read: {error.strerror}", path)
    return end


def _enter(entry: object, path: Path, end: _LedgerEnd, books: Books) -> None:
    match entry:
        case Started():
            listing = books.sessions.setdefault(entry.session, Listing())
            if listing.started is not None:
                _find(books, f"session {entry.session} starts twice", path)
            listing.started, listing.alive = entry, end.alive
        case Ended():
            listing = books.sessions.setdefault(entry.session, Listing())
            if listing.started is None or listing.ended is not None:
                _find(books, f"session {entry.session} ends without a start, or twice", path)
            listing.ended = entry
        case Abandoned():
            books.sessions.setdefault(entry.session, Listing()).abandoned = entry
        case Closed():
            end.closed = True


def _check_pins(path: Path, end: _LedgerEnd, pins: list[tuple[Path, Pin]], books: Books) -> None:
    """`end` must reach as far as every later ledger saw this one reach."""
    complete = end.closed or end.alive
    for by, pin in pins:
        if pin.size_bytes in end.links and end.links[pin.size_bytes] == pin.link:
            complete = complete or (not pin.alive and pin.size_bytes == end.size_bytes)
        elif pin.alive and pin.size_bytes not in end.links and pin.size_bytes <= end.size_bytes:
            continue  # it was looked at while an entry was being written
        else:
            _find(books, f"has lost entries, or has others, than {by.name} saw", path)
            return
    if not complete:
        _find(books, "was not closed: its gateway died, or its last entries were cut off", path)
    elif not (end.closed or end.alive):
        books.notices.append(f"{path.name}: its gateway died; the ledger reaches as far as the next start found it")


def verify_session(names: Names, verifiers: Verifiers, books: Books | None, directory: Path | None = None) -> Verdict:
    """Prove one log. `books` None: there is no ledger to hold it against, as for a file that was sent alone."""
    running = books is not None and books.is_running(names.session)
    walk = Walk(names, verifiers, running=running)
    findings: list[Finding] = []
    for met in walk:
        if isinstance(met, Finding) and len(findings) < FINDINGS_LIMIT:
            findings.append(met)
    if not verifiers:
        findings.append(Finding(FindingKind.KEY, "no public key was given, so no signature was checked", names.part(1)))
    if books is not None:
        findings += _against_books(names, walk.progress, books, directory)
    progress = walk.progress
    state = "closed" if progress.closed else "open" if running else "torn"
    return Verdict(names.session, names.part(1), state, progress.records, progress.signed, tuple(findings))


def _against_books(names: Names, progress: Progress, books: Books, directory: Path | None) -> Iterator[Finding]:
    listing = books.sessions.get(names.session)
    path = names.part(1)
    if listing is None or listing.started is None:
        yield Finding(FindingKind.UNLISTED, "no ledger knows this session", path)
        return
    if listing.started.link != progress.first_link:
        yield Finding(FindingKind.IDENTITY, "is not the log that the ledger saw begin", path)
    if directory is not None and directory / listing.started.path != path:
        yield Finding(FindingKind.IDENTITY, f"lies elsewhere than the ledger says ({listing.started.path})", path)
    ended = listing.ended
    if ended is not None and (ended.link, ended.records, ended.part) != (
        progress.link,
        progress.records,
        progress.part,
    ):
        yield Finding(FindingKind.LEDGER, f"is not the log that the ledger saw end, with {ended.records} records", path)
    if progress.closed and ended is None and not listing.alive:
        yield Finding(FindingKind.LEDGER, "has an end that no ledger saw", path)


def verify_directory(directory: Path, verifiers: Verifiers, books: Books, since_ns: int = 0) -> Iterator[Verdict]:
    """Prove every session that lies in the directory or stands in a ledger. `books.findings` are the caller's to show."""
    seen: set[str] = set()
    for names in find_logs(directory):
        listing = books.sessions.get(names.session)
        if listing is None or listing.started is None or listing.started.at_ns >= since_ns:
            yield verify_session(names, verifiers, books, directory)
        seen.add(names.session)
    for session, listing in books.sessions.items():
        if session not in seen and listing.started is not None and listing.started.at_ns >= since_ns:
            path = directory / listing.started.path
            finding = Finding(FindingKind.MISSING, "the ledger knows this session, and its log is gone", path)
            yield Verdict(session, path, "missing", 0, 0, (finding,))


def stray_files(directory: Path) -> Iterator[Finding]:
    """Journals and later parts whose log is not there."""
    logs = {names.part(1) for names in find_logs(directory)}
    for path in sorted(directory.glob("*/*")):
        match = PART_NAME.match(path.name)
        session = match["session"] if match else path.stem if path.suffix == ".open" else None
        if session is not None and Names(path.parent, session).part(1) not in logs:
            yield Finding(FindingKind.MISSING, "stands alone: the log it belongs to is gone", path)


def _find(books: Books, message: str, path: Path, offset: int | None = None) -> None:
    books.findings.append(Finding(FindingKind.LEDGER, message, path, offset))
