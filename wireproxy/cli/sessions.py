"""`wireproxy sessions`, `replay`, `verify`, `search`, `export`: the recorded sessions, for whoever has to know what happened."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.text import Text

from wireproxy.cli.calls import Failed
from wireproxy.cli.log_place import Place, console, find_place, finds_logs, print_json, since_ns
from wireproxy.cli.replay_screen import Screen, offset, pace
from wireproxy.cli.screen import cut, neutral
from wireproxy.cli.session_list import listing, summary_json
from wireproxy.cli.verify_report import Report, log_file, run_verify
from wireproxy.log.appender import Names
from wireproxy.log.books import Books, read_books
from wireproxy.log.errors import UnknownSession
from wireproxy.log.export import export as export_records
from wireproxy.log.export import wall_time
from wireproxy.log.reader import Walk, find_logs, find_session
from wireproxy.log.search import Hit, Matcher, plain_matcher, regex_matcher
from wireproxy.log.search import search as search_walk
from wireproxy.log.signing import PUBLIC_NAME
from wireproxy.log.summary import Summary, summarize_all

UNCUT = 160  # columns in which the table of sessions has room
REGEX_SECONDS = 5.0  # for one session's records; an expression that takes longer would take for ever


@click.command()
@finds_logs
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line.")
@click.option("--user", help="Only sessions of this identity.")
@click.option("--database", help="Only sessions with this database.")
@click.option("--since", metavar="WHEN", help="Only those that began since: 2h, 3d, 2026-03-01, 2026-03-01T12:00.")
@click.option("--denied", is_flag=True, help="Only those in which something was refused or held.")
def sessions(
    as_json: bool, user: str | None, database: str | None, since: str | None, denied: bool, **where: object
) -> None:
    """List the recorded sessions."""
    place = find_place(**where)  # type: ignore[arg-type]
    after_ns = since_ns(since, time.time_ns())
    books = read_books(place.directory, {})
    found = [
        summary
        for summary in summarize_all(place.directory, books, place.auditor)
        if _wanted(summary, user, database, after_ns, denied)
    ]
    found.sort(key=lambda summary: summary.started_ns)
    if as_json:
        for summary in found:
            print_json(sys.stdout, summary_json(summary))
    elif not found:
        click.echo("No session is recorded." if not (user or database or since or denied) else "No session fits.")
    else:
        screen = console(sys.stdout)
        # into a file or another program, nothing is cut off
        if not screen.is_terminal:
            screen.width = max(screen.width, UNCUT)
        screen.print(listing(found, screen.width))


def _wanted(summary: Summary, user: str | None, database: str | None, after_ns: int, denied: bool) -> bool:
    start = summary.start
    return (
        (user is None or (start is not None and start.identity == user))
        and (database is None or (start is not None and start.database == database))
        and summary.started_ns >= after_ns
        and (not denied or summary.denied + summary.held > 0)
    )


@click.command()
@finds_logs
@click.argument("session_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line, as `export` gives.")
@click.option("--speed", type=click.FloatRange(min=0.001), help="Wait as the session did, this many times as fast.")
@click.option(
    "--rows", "rows_shown", type=click.IntRange(min=0), default=5, show_default=True, help="Rows shown of each result."
)
def replay(session_id: str, as_json: bool, speed: float | None, rows_shown: int, **where: object) -> None:
    """Show a recorded session as it happened, a running one as far as it has got."""
    place = find_place(**where)  # type: ignore[arg-type]
    walk = _walk(place, session_id)
    if as_json:
        for line in export_records(walk):
            print_json(sys.stdout, line)
        return
    screen = console(sys.stdout)
    for what in pace(Screen(rows_shown).replay(walk), speed, time.sleep):
        screen.print(what)


@click.command()
@finds_logs
@click.argument("session_id", metavar="ID")
@click.option("--raw", is_flag=True, help="The exact bytes of statements, parameters and rows too, as base64.")
def export(session_id: str, raw: bool, **where: object) -> None:
    """Export a recorded session as JSON Lines."""
    for line in export_records(_walk(find_place(**where), session_id), raw):  # type: ignore[arg-type]
        print_json(sys.stdout, line)


def _walk(place: Place, session_id: str) -> Walk:
    try:
        names = find_session(place.directory, session_id)
    except UnknownSession as error:
        raise Failed(f"{neutral(str(error))}: `wireproxy sessions` lists them") from None
    return _walk_of(place, names, read_books(place.directory, {}, names.session))


def _walk_of(place: Place, names: Names, books: Books) -> Walk:
    return Walk(names, place.verifiers, place.auditor, books.is_running(names.session))


@click.command()
@finds_logs
@click.argument("session_id", metavar="[ID | FILE]", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line.")
@click.option("--since", metavar="WHEN", help="Only sessions that began since: 2h, 3d, 2026-03-01.")
def verify(session_id: str | None, as_json: bool, since: str | None, **where: object) -> None:
    """Prove that session logs are whole and unchanged: one, or all of them and the ledgers.

    Needs the gateway's public key alone. Exit status 1 when there is any finding.
    """
    after_ns = since_ns(since, time.time_ns())
    alone = log_file(session_id)
    if alone is not None and where.get("directory") is None and where.get("config") is None:
        where["directory"] = alone.directory.parent
    place = find_place(**where)  # type: ignore[arg-type]
    if not place.verifiers:
        raise Failed(f"no public key: give the gateway's {PUBLIC_NAME} with --public-key")
    report = Report(sys.stdout, as_json, place)
    sys.exit(run_verify(place, session_id, alone, after_ns, report))


@click.command()
@finds_logs
@click.argument("text", metavar="TEXT")
@click.option("--regex", is_flag=True, help="TEXT is a regular expression of Python; (?i) ignores case.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line.")
@click.option("--user", help="Only sessions of this identity.")
@click.option("--since", metavar="WHEN", help="Only sessions that began since: 2h, 3d, 2026-03-01.")
def search(text: str, regex: bool, as_json: bool, user: str | None, since: str | None, **where: object) -> None:
    """Find a text in the statements, parameters and identities of the recorded sessions."""
    place = find_place(**where)  # type: ignore[arg-type]
    matcher = _matcher(text, regex)
    after_ns = since_ns(since, time.time_ns())
    books = read_books(place.directory, {})
    screen = console(sys.stdout)
    hits = 0
    for names in find_logs(place.directory):
        with _deadline(REGEX_SECONDS if regex else None, names.session):
            for hit in search_walk(_walk_of(place, names, books), matcher):
                if not _hit_wanted(hit, user, after_ns):
                    break
                hits += 1
                if as_json:
                    print_json(sys.stdout, hit_json(hit))
                else:
                    screen.print(hit_line(hit))
    if not as_json:
        screen.print(Text("nothing found" if not hits else f"{hits} found", style="dim"))


def _matcher(text: str, regex: bool) -> Matcher:
    if not regex:
        return plain_matcher(text)
    try:
        return regex_matcher(text)
    except re.error as error:
        raise Failed(f"not a regular expression: {error}") from None


def _hit_wanted(hit: Hit, user: str | None, after_ns: int) -> bool:
    start = hit.start
    started_ns = start.started_ns if start is not None else 0
    return (user is None or (start is not None and start.identity == user)) and started_ns >= after_ns


def hit_json(hit: Hit) -> dict[str, object]:
    return {
        "session": hit.session,
        "number": hit.number,
        "time": wall_time((hit.start.started_ns if hit.start else 0) + hit.at_ns),
        "identity": hit.start.identity if hit.start else None,
        "database": hit.start.database if hit.start else None,
        "where": hit.where,
        "before": hit.before,
        "match": hit.match,
        "after": hit.after,
        "ticket": hit.statement.ticket if hit.statement else None,
        "action": hit.statement.action if hit.statement else None,
        "text": hit.statement.text.decode("utf-8", "backslashreplace") if hit.statement else None,
    }


def hit_line(hit: Hit) -> Text:
    line = Text(hit.session[:12], style="bold", overflow="fold")
    who = hit.start.identity if hit.start else "?"
    line.append(f"  {wall_time(hit.start.started_ns if hit.start else 0)[:19].replace('T', ' ')}", "not bold dim")
    line.append(f" {offset(hit.at_ns)}", "not bold dim").append(f"  {cut(who, 40)}", "not bold cyan")
    if hit.statement is not None:
        line.append(f"  #{hit.statement.ticket} {cut(hit.statement.action, 12)}", "not bold blue")
    line.append(f"  {hit.where}: ", "not bold dim")
    line.append(neutral(hit.before), "not bold default")
    line.append(neutral(hit.match), "bold black on yellow")
    return line.append(neutral(hit.after), "not bold default")


@contextmanager
def _deadline(seconds: float | None, session: str) -> Iterator[None]:
    """A regular expression may take for ever on one text; the interpreter looks for signals while it matches."""
    if seconds is None:
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise Failed(f"the expression takes longer than {seconds:.0f} s on session {session}: make it simpler")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
