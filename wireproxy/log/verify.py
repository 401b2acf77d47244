"""Proving session logs with the public key alone: each log for itself, and against what the ledgers say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from wireproxy.log.appender import Names
from wireproxy.log.books import Books, Verifiers
from wireproxy.log.findings import Finding, FindingKind
from wireproxy.log.reader import PART_NAME, Progress, Walk, find_logs

FINDINGS_LIMIT = 100  # of one log: a hostile file could have millions


@frozen
class Verdict:
    """What `verify` has to say about one session. `state`: closed, open (its gateway runs), torn or missing."""

    session: str
    path: Path
    state: str
    records: int
    signed: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.findings


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
