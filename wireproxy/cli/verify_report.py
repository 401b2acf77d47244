"""What `verify` looks at, and how it says what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from rich.text import Text

from wireproxy.cli.calls import Failed
from wireproxy.cli.log_place import Place, console, print_json
from wireproxy.cli.replay_screen import finding_line
from wireproxy.cli.screen import marked, neutral
from wireproxy.cli.session_list import STATE_STYLE
from wireproxy.log.appender import Names
from wireproxy.log.books import Books, read_books
from wireproxy.log.errors import UnknownSession
from wireproxy.log.export import finding_json
from wireproxy.log.findings import Finding, FindingKind
from wireproxy.log.reader import PART_NAME, find_session
from wireproxy.log.verify import Verdict, stray_files, verify_directory, verify_session


class Report:
    """What `verify` says, as it finds it."""

    def __init__(self, stream: TextIO, as_json: bool, place: Place) -> None:
        self._stream = stream
        self._json = as_json
        self._place = place
        self._console = console(stream)
        self.sessions = self.findings = self.running = 0
        self.heads: dict[str, str] = {}

    def verdict(self, verdict: Verdict) -> None:
        self.sessions += 1
        self.findings += len(verdict.findings)
        self.running += verdict.state == "open"
        if self._json:
            print_json(self._stream, verdict_json(verdict))
            return
        line = Text("✓ " if verdict.ok else "✗ ", style="green" if verdict.ok else "bold red")
        line.append(neutral(verdict.session), "bold default").append(f"  {verdict.state}", STATE_STYLE[verdict.state])
        line.append(f"  {verdict.signed} of {verdict.records} records signed", "dim")
        self._console.print(line)
        for finding in verdict.findings:
            self._console.print(Text("  ").append_text(finding_line(finding)))

    def finding(self, finding: Finding) -> None:
        self.findings += 1
        if self._json:
            print_json(self._stream, {"type": "finding", **finding_json(finding)})
        else:
            self._console.print(finding_line(finding))

    def notice(self, text: str) -> None:
        if self._json:
            print_json(self._stream, {"type": "notice", "message": text})
        else:
            self._console.print(Text("• ", style="yellow").append_text(marked(text, style="default")))

    def end(self) -> int:
        """Give the exit status."""
        keys = ", ".join(self._place.verifiers)
        if self._json:
            total = {
                "type": "total",
                "sessions": self.sessions,
                "findings": self.findings,
                "keys": list(self._place.verifiers),
            }
            print_json(self._stream, {**total, "heads": self.heads, "ok": not self.findings})
            return 1 if self.findings else 0
        count = f"{self.sessions} session{'' if self.sessions == 1 else 's'}"
        running = f", {self.running} still running" if self.running else ""
        if self.findings:
            many = "1 finding" if self.findings == 1 else f"{self.findings} findings"
            self._console.print(Text(f"{many} in {count}{running}", style="bold red"))
        else:
            self._console.print(Text(f"{count}{running}: whole, unchanged and signed", style="bold green"))
        self._console.print(marked(f"checked with key {keys} from {self._place.keys_from}", style="dim"))
        return 1 if self.findings else 0


def verdict_json(verdict: Verdict) -> dict[str, object]:
    return {
        "type": "session",
        "session": verdict.session,
        "ok": verdict.ok,
        "state": verdict.state,
        "records": verdict.records,
        "signed": verdict.signed,
        "path": str(verdict.path),
        "findings": [finding_json(finding) for finding in verdict.findings],
    }


def run_verify(place: Place, session_id: str | None, alone: Names | None, after_ns: int, report: Report) -> int:
    books = read_books(place.directory, place.verifiers, alone.session if alone is not None else session_id or "")
    report.heads = books.heads
    if alone is not None:
        known = alone.session in books.sessions
        report.verdict(verify_session(alone, place.verifiers, books if known else None))
        if not known:
            report.notice("verified alone: no ledger here knows this session")
    elif session_id is not None:
        report.verdict(_verify_one(place, session_id, books))
    else:
        for verdict in verify_directory(place.directory, place.verifiers, books, after_ns):
            report.verdict(verdict)
        if not books.present and report.sessions:
            books.findings.append(
                Finding(FindingKind.LEDGER, "there is no ledger: sessions could be missing", place.directory)
            )
        for finding in (*books.findings, *stray_files(place.directory)):
            report.finding(finding)
        for notice in books.notices:
            report.notice(notice)
    return report.end()


def _verify_one(place: Place, session_id: str, books: Books) -> Verdict:
    try:
        names = find_session(place.directory, session_id)
    except UnknownSession as error:
        gone = [session for session in books.sessions if session.startswith(session_id)]
        if len(gone) != 1:
            raise Failed(neutral(str(error))) from None
        started = books.sessions[gone[0]].started
        path = place.directory / started.path if started is not None else None
        finding = Finding(FindingKind.MISSING, "the ledger knows this session, and its log is gone", path)
        return Verdict(gone[0], path or place.directory, "missing", 0, 0, (finding,))
    return verify_session(names, place.verifiers, books, place.directory)


def log_file(text: str | None) -> Names | None:
    """A log given by its path: verified alone when no ledger knows it."""
    if text is None or not text.endswith(".wplog"):
        return None
    path = Path(text).absolute()
    match = PART_NAME.match(path.name)
    if match is None or not path.is_file():
        raise Failed(f"{path} is not a session log")
    return Names(path.parent, match["session"])
