"""The ledgers of a directory, read and proved: which sessions began and ended, and whether any entry was lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import define, field, frozen

from wireproxy.log.errors import FormatError, TornError
from wireproxy.log.findings import Finding, FindingKind
from wireproxy.log.ledger import (
    FOLDER,
    Abandoned,
    Closed,
    Ended,
    Entry,
    Opened,
    Pin,
    Started,
    StoredEntry,
    entry_message,
    is_alive,
    ledger_paths,
    read_entries,
)
from wireproxy.log.signing import Verifier

Verifiers = Mapping[str, Verifier]
FINDINGS_LIMIT = 100  # of one ledger


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
    heads: dict[str, str] = field(factory=dict)  # the last link of each ledger, in hex: keep them elsewhere
    present: bool = False  # there is a ledger at all

    def is_running(self, session: str) -> bool:
        listing = self.sessions.get(session)
        return listing is not None and listing.alive and listing.ended is None and listing.abandoned is None


def key_ring(verifiers: Iterable[Verifier]) -> Verifiers:
    return {verifier.key_id: verifier for verifier in verifiers}


def read_books(directory: Path, verifiers: Verifiers, prefix: str = "") -> Books:
    """Read every ledger; keep what is about sessions whose id begins with `prefix`. No verifiers: signatures are not looked at."""
    books = Books()
    paths = ledger_paths(directory)
    books.present = bool(paths)
    pins: dict[str, list[_Seen]] = {}
    for path in paths:
        for pin in _pins_of(path):
            pins.setdefault(pin.ledger, []).append(_Seen(path.name, pin))
    for path in paths:
        reading = _Reading(path, verifiers, books, prefix, pins.pop(path.name, []))
        reading.read()
        reading.check_end()
    for name, seen in pins.items():
        message = f"the ledger {name} is gone, which {seen[0].by} knew"
        books.findings.append(Finding(FindingKind.LEDGER, message, directory / FOLDER / name))
    return books


@frozen
class _Seen:
    """How another ledger found this one."""

    by: str
    pin: Pin


def _pins_of(path: Path) -> tuple[Pin, ...]:
    """What is wrong with the ledger is found when it is read whole."""
    try:
        first = next(read_entries(path), None)
    except (FormatError, OSError):
        return ()
    return first.entry.pins if first is not None and isinstance(first.entry, Opened) else ()


@define
class _Reading:
    """One ledger, entry by entry."""

    path: Path
    verifiers: Verifiers
    books: Books
    prefix: str
    seen: list[_Seen]
    alive: bool = False
    closed: bool = False
    size_bytes: int = 0
    found: int = 0
    verifier: Verifier | None = None
    links: dict[int, bytes] = field(factory=dict)  # at the sizes that others saw

    def read(self) -> None:
        self.alive = is_alive(self.path)
        wanted = {seen.pin.size_bytes for seen in self.seen}
        try:
            for stored in read_entries(self.path):
                if not self._entry(stored):
                    return
                self.size_bytes = stored.end
                self.books.heads[self.path.name] = stored.link.hex()
                if stored.end in wanted:
                    self.links[stored.end] = stored.link
        except FormatError as error:
            if not (self.alive and isinstance(error, TornError)):
                self._find(str(error), error.offset)
        except OSError as error:
            self._find(f"cannot be read: {error.strerror}")
        if not self.size_bytes and not self.found:
            self._find("has no entry")

    def check_end(self) -> None:
        """It must reach as far as every other ledger saw it reach, and be signed off unless its process lives."""
        complete = self.closed or self.alive
        for seen in self.seen:
            pin = seen.pin
            if self.links.get(pin.size_bytes) == pin.link:
                complete = complete or (not pin.alive and pin.size_bytes == self.size_bytes)
            elif not (pin.alive and pin.size_bytes not in self.links and pin.size_bytes < self.size_bytes):
                # (that one looked while an entry was being written)
                self._find(f"has lost entries, or has others, than {seen.by} saw")
                return
        if not complete:
            self._find("was not closed: its gateway died, or its last entries were cut off")
        elif not (self.closed or self.alive):
            self.books.notices.append(
                f"{self.path.name}: its gateway died; it reaches as far as the next start found it"
            )

    def _entry(self, stored: StoredEntry) -> bool:
        """Returns whether to go on: nothing behind an entry with a wrong signature is worth anything."""
        entry = stored.entry
        if self.closed:
            self._find("entries stand behind its end", self.size_bytes)
        if isinstance(entry, Opened) != (self.size_bytes == 0):
            self._find("a ledger opens once, with its first entry", self.size_bytes)
        if isinstance(entry, Opened):
            self._opened(entry)
        if self.verifier is not None and not self.verifier.valid(stored.signature, entry_message(stored.link)):
            self._find("an entry does not have the gateway's signature", self.size_bytes, FindingKind.SIGNATURE)
            return False
        self._enter(entry)
        return True

    def _opened(self, entry: Opened) -> None:
        self.verifier = self.verifiers.get(entry.key_id)
        if self.verifiers and self.verifier is None:
            self._find(f"is signed by key {entry.key_id}, which was not given", 0, FindingKind.KEY)
        if entry.ledger != self.path.name:
            self._find(f"is the ledger {entry.ledger} under another name", 0)

    def _enter(self, entry: Entry) -> None:
        match entry:
            case Closed():
                self.closed = True
            case Started() | Ended() | Abandoned() if entry.session.startswith(self.prefix):
                self._listed(entry)
            case _:
                pass

    def _listed(self, entry: Started | Ended | Abandoned) -> None:
        listing = self.books.sessions.setdefault(entry.session, Listing())
        match entry:
            case Started():
                if listing.started is not None:
                    self._find(f"session {entry.session} starts twice", self.size_bytes)
                listing.started, listing.alive = entry, self.alive
            case Ended():
                if listing.started is None or listing.ended is not None:
                    self._find(f"session {entry.session} ends without a start, or twice", self.size_bytes)
                listing.ended = entry
            case Abandoned():
                listing.abandoned = entry

    def _find(self, message: str, offset: int | None = None, kind: FindingKind = FindingKind.LEDGER) -> None:
        self.found += 1
        if self.found <= FINDINGS_LIMIT:
            self.books.findings.append(Finding(kind, message, self.path, offset))
