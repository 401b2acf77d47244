"""Runs every statement of PostgreSQL's regression files on a real server, and compares what changed with what was said.

    python -m tools.differential_postgres --dsn DSN --regress FOLDER [--files NAME ...] [--json FILE]

FOLDER is `src/test/regress` of PostgreSQL's sources (Debian: `apt-get source postgresql-15`). DSN names a superuser and a database
that may be thrown away; it is dropped and made anew. Files run in the order of `parallel_schedule`, each statement once.
Around a statement that is said to only read, the session is looked at before and after: whether it has a transaction ID
(every change of a row or a definition takes one), rows changed in this transaction, locks beyond those of a SELECT,
settings, roles, sequences, channels listened to. A statement said to change something that leaves no trace is counted too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
from attrs import Factory, define
from pglast import parser
from pglast.error import Error
from psycopg import sql
from psycopg.rows import TupleRow

from rules.catalog import Catalog
from rules.classify.postgres import classify
from rules.model import Effect, Kind, Namespace, Statement
from wireproxy.catalog import read

Connection = psycopg.Connection[TupleRow]
_HARMLESS = frozenset({Effect.READ, Effect.SAMPLES})
_READING = frozenset({Kind.SELECT, Kind.EXPLAIN, Kind.SHOW, Kind.COPY})
_CHANGING = frozenset({Effect.WRITE, Effect.DDL, Effect.GRANT, Effect.SEQUENCE, Effect.ROW_LOCK, Effect.TABLE_LOCK})

_LOST = (psycopg.pq.TransactionStatus.ACTIVE, psycopg.pq.TransactionStatus.UNKNOWN)
# they give the transaction an ID and a lock on it, and do nothing else
_TAKES_ID = re.compile(r"(?i)\b(txid_current|pg_current_xact_id)\s*\(")
_PLANNING = frozenset({"RowExclusiveLock relation", "RowShareLock relation"})

_COPY_DATA = re.compile(r"(?is)[^;]*\bcopy\b.*\b(stdin|stdout)\b")  # its data stand in the script, or go to the screen

STATE = """
SELECT pg_current_xact_id_if_assigned()::text,
       (SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text FROM pg_stat_xact_all_tables),
       (SELECT string_agg(DISTINCT mode || ' ' || locktype, ',')
        FROM pg_locks LEFT JOIN pg_class ON pg_class.oid = relation  -- looking at sequences below locks them
        WHERE pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'SIReadLock')
          AND locktype <> 'virtualxid' AND relkind IS DISTINCT FROM 'S'),
       (SELECT md5(string_agg(name || '=' || coalesce(setting, ''), ',' ORDER BY name)) FROM pg_show_all_settings() s),
       current_user || '/' || session_user,
       (SELECT string_agg(c, ',') FROM pg_listening_channels() c),
       (SELECT string_agg(schemaname || sequencename || coalesce(last_value::text, ''), ',' ORDER BY 1) FROM pg_sequences)
"""
ASPECTS = ("transaction id", "rows", "locks", "settings", "role", "channels", "sequences")


@define
class Findings:
    counts: Counter[str] = Factory(Counter)
    wrong: list[tuple[str, str, str]] = Factory(list)  # said to read, and changed: file, aspect, statement
    idle: Counter[str] = Factory(Counter)  # said to change, and nothing was seen: by kind and effects
    unseen: list[tuple[str, str, str]] = Factory(list)  # a SELECT said to change something, of which nothing was seen
    unread: Counter[str] = Factory(Counter)  # reasons of opaque statements that the server ran


def statements(path: Path, variables: dict[str, str]) -> Iterator[str]:
    """The statements of a psql script, with psql's own commands carried out where they matter and left out where not."""
    kept: list[str] = []
    skipping = False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if skipping:
            skipping = line != "\\."
            continue
        if line.startswith("\\"):
            _set(line, variables)
            continue
        line = re.sub(r"\\(g\w*|crosstabview|watch|bind|parse|close).*$", ";", line)
        kept.append(_substituted(line, variables))
        skipping = re.search(r"(?i)\bfrom\s+stdin\b.*;\s*$", line) is not None
    text = "\n".join(kept)
    try:
        yield from (each for each in parser.split(text, with_parser=False) if each.strip())
    except Error:
        yield from (each for each in re.split(r";[ \t]*\n", text) if each.strip())


def _set(line: str, variables: dict[str, str]) -> None:
    found = re.match(r"\\set\s+(\w+)\s+(.*)$", line)
    if found is not None:
        parts = re.findall(r":'?(\w+)'?|'([^']*)'|(\S+)", found.group(2))
        variables[found.group(1)] = "".join(
            variables.get(name, "") if name else quoted or plain for name, quoted, plain in parts
        )


def _substituted(line: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        line = line.replace(f":'{name}'", f"'{value}'").replace(f':"{name}"', f'"{value}"')
    return line


@define
class Session:
    """One connection, as psql would have it, with a second look through the same connection."""

    dsn: str
    connection: Connection
    namespace: Namespace
    catalog: Catalog | None = None
    stale: bool = True

    @classmethod
    def open(cls, dsn: str) -> Session:
        # compiled plans for looking around would take longer than everything else
        connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=None, options="-c jit=off")
        connection.execute("SET statement_timeout = '20s'; SET client_min_messages = 'error'")
        return cls(dsn, connection, Namespace(user="postgres", server_version=connection.info.server_version))

    @property
    def idle(self) -> bool:
        return self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def state(self) -> tuple[object, ...]:
        row = self.connection.execute(STATE).fetchone()
        assert row is not None
        return row

    def says(self, text: str) -> Statement | None:
        """What the classifier says; with the catalog where names of the database matter."""
        found = classify(text, self.namespace)
        if len(found) != 1:
            return None
        if Effect.UNKNOWN in found[0].effects and found[0].opaque is None:
            found = classify(text, self.namespace, self.current_catalog())
        return found[0]

    def current_catalog(self) -> Catalog | None:
        if self.stale:
            with psycopg.connect(self.dsn, row_factory=psycopg.rows.tuple_row) as other:
                self.catalog = read(other, 1)
            self.stale = False
        return self.catalog

    def runs(self, text: str) -> bool:
        """Whether the server took it; an error leaves an explicit transaction to the script."""
        if _COPY_DATA.match(text):
            return False
        try:
            self.connection.execute(text.encode())
        except psycopg.Error:
            return False
        return True


def watch(session: Session, name: str, text: str, findings: Findings) -> None:
    """Runs one statement, and looks around it where it is said to only read."""
    said = session.says(text)
    if said is None:
        return
    findings.counts[str(said.kind)] += 1
    harmless = said.kind in _READING and said.effects <= _HARMLESS and said.opaque is None
    usable = session.connection.info.transaction_status != psycopg.pq.TransactionStatus.INERROR
    looked = usable and (harmless or (said.kind is Kind.SELECT and bool(said.effects & _CHANGING)))
    if not looked:
        ran = session.runs(text)
        if ran and said.opaque is not None:
            findings.unread[said.opaque.split(" at or near")[0]] += 1
        session.stale = session.stale or not said.effects <= _HARMLESS
        return
    own = session.idle
    if own:
        session.connection.execute("BEGIN")
    before = session.state()
    ran = session.runs(text)
    if ran:
        _compare(session, name, text, said, harmless, before, findings)
    if own:
        session.connection.execute("COMMIT" if ran else "ROLLBACK")
    session.stale = session.stale or not harmless


def _compare(
    session: Session,
    name: str,
    text: str,
    said: Statement,
    harmless: bool,
    before: tuple[object, ...],
    findings: Findings,
) -> None:
    after = session.state()
    changed = [aspect for aspect, one, other in zip(ASPECTS, before, after, strict=True) if one != other]
    if said.kind is Kind.EXPLAIN and changed == ["locks"] and set(str(after[2]).split(",")) <= _PLANNING:
        changed = []  # planning an UPDATE or a FOR UPDATE locks the table as running it would, and as weakly
    findings.counts["looked at"] += 1
    if set(changed) <= {"transaction id", "locks"} and _TAKES_ID.search(text):
        findings.counts["took a transaction ID because it asked for it"] += bool(changed)
        changed = []
    if harmless and changed:
        findings.wrong.append((name, ", ".join(changed), " ".join(text.split())))
    if not harmless and not changed and not before[0]:
        findings.idle[f"{said.kind} {' '.join(sorted(said.effects - _HARMLESS))}"] += 1
        findings.unseen.append((name, " ".join(sorted(said.effects - _HARMLESS)), " ".join(text.split())))


def schedule(folder: Path) -> list[str]:
    lines = (folder / "parallel_schedule").read_text(encoding="ascii").splitlines()
    return [name for line in lines if line.startswith("test: ") for name in line.removeprefix("test: ").split()]


def fresh_database(dsn: str) -> None:
    """Drops and makes the database that the DSN names."""
    info = psycopg.conninfo.conninfo_to_dict(dsn)
    name = sql.Identifier(str(info["dbname"]))
    with psycopg.connect(psycopg.conninfo.make_conninfo(dsn, dbname="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").format(name))


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--dsn", required=True)
    options.add_argument("--regress", required=True, type=Path)
    options.add_argument("--files", nargs="*")
    options.add_argument("--leave-out", nargs="*", default=[], help="files that need what the server does not have")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args(arguments)
    fresh_database(chosen.dsn)
    findings = Findings()
    for name in chosen.files or schedule(chosen.regress):
        if name in chosen.leave_out:
            continue
        started = time.monotonic()
        variables = {
            "abs_srcdir": str(chosen.regress),
            "abs_builddir": str(chosen.regress),
            "libdir": "",
            "dlsuffix": ".so",
        }
        session = Session.open(chosen.dsn)
        try:
            for text in statements(chosen.regress / "sql" / f"{name}.sql", variables):
                if session.connection.closed or session.connection.info.transaction_status in _LOST:
                    session.connection.close()
                    session = Session.open(chosen.dsn)
                watch(session, name, text, findings)
        finally:
            session.connection.close()
        if chosen.json is not None:
            kept = {"wrong": findings.wrong, "unseen": findings.unseen}
            chosen.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        print(f"{name}: {time.monotonic() - started:.1f} s, wrong so far {len(findings.wrong)}", file=sys.stderr)
    report(findings)
    return 1 if findings.wrong else 0


def report(findings: Findings) -> None:
    print(f"classified: {sum(findings.counts[str(kind)] for kind in Kind)}")
    for name in ("looked at", "took a transaction ID because it asked for it"):
        print(f"{name}: {findings.counts[name]}")
    print(f"said to read, and changed something: {len(findings.wrong)}")
    for name, aspect, text in findings.wrong:
        print(f"  {name}: {aspect}: {text[:160]}")
    print("SELECT said to change, and nothing was seen:")
    for kind, count in findings.idle.most_common():
        print(f"  {count:6} {kind}")
    for name, effects, text in findings.unseen:
        print(f"    {name}: {effects}: {text[:160]}")
    print("not understood, and the server ran it:")
    for reason, count in findings.unread.most_common():
        print(f"  {count:6} {reason}")


if __name__ == "__main__":
    sys.exit(main())
