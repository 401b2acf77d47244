"""Table maintenance, locks on tables, loading of files, HANDLER.

Spec: MySQL 8.4 manual §15.7.3 "Table Maintenance Statements", §15.3.6 LOCK TABLES, §15.2.9 LOAD DATA, §15.2.5 HANDLER.
"""

from __future__ import annotations

from rules.classify.mysql.lexer import NAME, QUOTED, STRING, VARIABLE
from rules.classify.mysql.reading import Reader
from rules.classify.mysql.values import read_checked
from rules.model import Access, Effect, Kind, Setting

_TABLE = frozenset({"TABLE", "TABLES"})


def read_table_maintenance(reader: Reader) -> tuple[Kind, str]:
    """ANALYZE | CHECK | CHECKSUM | OPTIMIZE | REPAIR TABLE name, … options"""
    word = reader.advance().word
    draft = reader.draft
    draft.returns_rows = True
    reader.accept_any(frozenset({"NO_WRITE_TO_BINLOG", "LOCAL"}))
    if (word == "CHECK" and reader.accept("VIEW")) or (word == "REPAIR" and reader.accept("VIEW")):
        pass
    elif not reader.accept_any(_TABLE):
        reader.fail("not understood")
    access = Access.WRITE if word in ("OPTIMIZE", "REPAIR") else Access.READ
    while True:
        draft.relation(*reader.path(), access)
        if not reader.accept(","):
            break
    if word in ("OPTIMIZE", "REPAIR"):
        draft.effects |= {Effect.WRITE, Effect.TABLE_LOCK}
    elif word == "ANALYZE":
        draft.effects.add(Effect.TABLE_LOCK)  # the statistics change, no row of the table does
    else:
        draft.effects.add(Effect.READ)
    while not reader.done:  # FOR UPGRADE, QUICK, EXTENDED, UPDATE HISTOGRAM ON a, b WITH 10 BUCKETS, PERSISTENT FOR …
        if reader.word in ("SELECT", "INTO", ";"):
            reader.fail("not understood")
        reader.advance()
    return Kind.MAINTENANCE, f"{word.capitalize()}Table"


def read_lock(reader: Reader) -> tuple[Kind, str]:
    """LOCK TABLES name [AS alias] READ [LOCAL] | WRITE, …; LOCK INSTANCE FOR BACKUP"""
    reader.expect("LOCK")
    if reader.accept("INSTANCE", "FOR", "BACKUP"):
        reader.draft.effects.add(Effect.ADMIN)
        return Kind.LOCK, "LockInstance"
    if not reader.accept_any(_TABLE):
        reader.fail("not understood")
    reader.draft.effects.add(Effect.TABLE_LOCK)
    while True:
        schema, name = reader.path()
        if reader.accept("AS") or (reader.at_name() and reader.word not in ("READ", "WRITE", "LOW_PRIORITY")):
            reader.name()
        reader.accept("LOW_PRIORITY")
        if reader.accept("READ"):
            reader.accept("LOCAL")
            reader.draft.relation(schema, name, Access.READ)
        else:
            reader.expect("WRITE")
            reader.accept("CONCURRENT")
            reader.draft.relation(schema, name, Access.WRITE)
        if not reader.accept(","):
            break
    if reader.accept("WAIT"):
        reader.number()
    else:
        reader.accept("NOWAIT")
    reader.draft.effects.discard(Effect.WRITE)  # it locks for writing and writes nothing
    return Kind.LOCK, "LockTables"


def read_unlock(reader: Reader) -> tuple[Kind, str]:
    reader.expect("UNLOCK")
    if reader.accept("INSTANCE"):
        reader.draft.effects.add(Effect.ADMIN)
        return Kind.LOCK, "UnlockInstance"
    if not reader.accept_any(_TABLE):
        reader.fail("not understood")
    reader.draft.effects |= {Effect.READ, Effect.TRANSACTION}
    reader.draft.transaction = "commit"  # what LOCK TABLES began is committed
    return Kind.LOCK, "UnlockTables"


def read_load(reader: Reader) -> tuple[Kind, str]:
    """LOAD DATA | XML [LOCAL] INFILE 'file' [REPLACE | IGNORE] INTO TABLE name …; LOAD INDEX INTO CACHE"""
    reader.expect("LOAD")
    draft = reader.draft
    if reader.accept("INDEX", "INTO", "CACHE"):
        draft.effects.add(Effect.READ)
        draft.relation(*reader.path(), Access.READ)
        reader.position = reader.end
        draft.effects.add(Effect.ADMIN)
        return Kind.MAINTENANCE, "LoadIndex"
    if not reader.accept_any(frozenset({"DATA", "XML"})):
        reader.fail("not understood")
    reader.accept_any(frozenset({"LOW_PRIORITY", "CONCURRENT"}))
    local = reader.accept("LOCAL")
    if not reader.accept("INFILE"):
        reader.fail("not understood")  # FROM S3 and the like are other services' own
    reader.string()
    draft.effects |= {Effect.WRITE} if local else {Effect.WRITE, Effect.FILE_READ}
    reader.accept_any(frozenset({"REPLACE", "IGNORE"}))
    reader.expect("INTO", "TABLE")
    draft.relation(*reader.path(), Access.WRITE)
    _load_options(reader)
    return Kind.COPY, "LoadData"


def _load_options(reader: Reader) -> None:
    """Everything up to SET names columns and variables; behind SET there are expressions."""
    while not reader.done and reader.word != "SET":
        if reader.begins("CHARACTER", "SET"):
            reader.position += 2
            continue
        token = reader.advance()
        if token.kind == VARIABLE:
            reader.draft.effects.add(Effect.SETTING)
            reader.draft.settings.append(Setting(token.text.lower()))
        elif token.word in ("SELECT", ";"):
            reader.fail("not understood")
    if reader.accept("SET"):
        read_checked(reader)


def read_handler(reader: Reader) -> tuple[Kind, str]:
    """HANDLER table OPEN | READ … | CLOSE: rows by hand, past the optimizer, with dirty reads."""
    reader.expect("HANDLER")
    draft = reader.draft
    draft.relation(*reader.path(), Access.READ)
    if reader.accept("OPEN"):
        if reader.accept("AS") or reader.at_name():
            reader.name()
        draft.effects.add(Effect.TABLE_LOCK)
        return Kind.UTILITY, "HandlerOpen"
    if reader.accept("CLOSE"):
        return Kind.UTILITY, "HandlerClose"
    reader.expect("READ")
    draft.returns_rows = True
    draft.effects.add(Effect.UNKNOWN)  # the name may be an alias that an earlier HANDLER … OPEN AS gave
    while not reader.done and reader.word not in ("WHERE", "LIMIT", "("):
        token = reader.advance()
        if token.kind not in (NAME, QUOTED, STRING) and token.word not in ("=", "<", ">", "<=", ">="):
            reader.fail("not understood")
    if reader.word == "(":
        reader.advance()
        read_checked(reader)
        reader.expect(")")
    if reader.accept("WHERE"):
        read_checked(reader, frozenset({"LIMIT"}))
    if reader.accept("LIMIT"):
        read_checked(reader)
    return Kind.UTILITY, "HandlerRead"
