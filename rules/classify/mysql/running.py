"""CALL, DO, PREPARE and its kin, transactions, XA, conditions: statements that act on the session itself.

Spec: MySQL 8.4 manual §15.2.1 CALL, §15.2.3 DO, §15.5 "Prepared Statements", §15.3 "Transactional and Locking Statements",
§15.6.7 "Condition Handling"; MariaDB knowledge base "EXECUTE IMMEDIATE", "BEGIN NOT ATOMIC".
"""

from __future__ import annotations

from attrs import evolve

from rules.classify.mysql.calls import routine
from rules.classify.mysql.lexer import NAME, NUMBER, QUOTED, STRING, VARIABLE, Token, string_value
from rules.classify.mysql.reading import Reader, variable_name
from rules.classify.mysql.routines import effects_of
from rules.classify.mysql.statements import classify_text
from rules.classify.mysql.values import read_checked
from rules.model import Effect, Function, Kind, NameEffect, Setting, Statement, Volatility


def read_call(reader: Reader) -> tuple[Kind, str]:
    reader.expect("CALL")
    schema, name = reader.path()
    draft = reader.draft
    draft.returns_rows = True
    if reader.accept("("):
        if reader.word != ")":
            read_checked(reader)
        reader.expect(")")
    stored = routine(reader, schema if schema is not None else draft.database, name, "p")
    effects = effects_of(reader, stored) if stored is not None else frozenset({Effect.UNKNOWN})
    volatility = stored.volatility if stored is not None else Volatility.UNKNOWN
    draft.function(Function(schema, name, volatility, effects, known=Effect.UNKNOWN not in effects))
    draft.effects |= {Effect.READ, Effect.CODE}
    return Kind.CALL, "Call"


def read_do(reader: Reader) -> tuple[Kind, str]:
    """DO expression, …: computes and throws away. What it does is what its calls do."""
    reader.expect("DO")
    reader.draft.effects.add(Effect.READ)
    read_checked(reader)
    return Kind.DO, "Do"


# -- prepared statements of SQL -------------------------------------------------------------------------------------------


def _statement_name(reader: Reader) -> str:
    """Names of prepared statements are compared by a collation: `e` is `é` and `ß` is `s`, and spaces behind do not count."""
    name = reader.name()
    if not name.isascii() or " " in name:
        reader.fail("expected a name without spaces, and without letters beyond ASCII")
    return name.lower()


def read_prepare(reader: Reader) -> tuple[Kind, str]:
    """PREPARE name FROM 'text' | @variable"""
    reader.expect("PREPARE")
    draft = reader.draft
    name = _statement_name(reader)
    reader.expect("FROM")
    draft.names.append(NameEffect("prepare", name))
    _carried(reader)
    draft.effects.add(Effect.READ)
    return Kind.PREPARE, "Prepare"


def _carried(reader: Reader) -> Statement | None:
    """The text to prepare: classified if it is a literal, opaque if it is computed."""
    draft = reader.draft
    draft.literal = True
    token = reader.peek()
    if token.kind != STRING or (reader.peek(1).kind not in ("end",) and reader.peek(1).word not in ("USING", ";")):
        draft.effects |= {Effect.DYNAMIC_SQL, Effect.UNKNOWN}
        draft.opaque = "it runs a text that is not in it"
        if token.kind == VARIABLE and reader.peek(1).word in ("", "USING"):
            reader.advance()
        else:
            reader.position = reader.end
        return None
    reader.advance()
    found = classify_text(string_value(token, reader.lexing), reader.namespace, reader.catalog, reader.depth + 1)
    if len(found) != 1:
        draft.effects.add(Effect.UNKNOWN)
        draft.opaque = "it prepares a text that is not one statement"
        return None
    inner = found[0]
    if draft.pinned and reader.namespace.database != draft.database:
        draft.opaque = "it prepares a text after a USE in the same batch"
    draft.inner = inner
    draft.opaque = draft.opaque or inner.opaque
    if inner.opaque is not None:
        draft.effects |= inner.effects
    return inner


def read_execute(reader: Reader) -> tuple[Kind, str]:
    """EXECUTE name [USING @a, …] | EXECUTE IMMEDIATE 'text' [USING …]"""
    reader.expect("EXECUTE")
    draft = reader.draft
    draft.returns_rows = True
    if (
        reader.word == "IMMEDIATE"
        and not reader.done
        and reader.peek(1).word != "USING"
        and reader.peek(1).kind != "end"
    ):
        reader.advance()
        return _immediate(reader)
    draft.names.append(NameEffect("execute", _statement_name(reader)))
    _using(reader)
    draft.effects.add(Effect.READ)
    return Kind.EXECUTE, "Execute"


def _immediate(reader: Reader) -> tuple[Kind, str]:
    inner = _carried(reader)
    _using(reader)
    if inner is None:
        return Kind.EXECUTE, "ExecuteImmediate"
    draft = reader.draft
    draft.absorb(evolve(inner, opaque=None))
    draft.names += inner.names
    draft.has_where, draft.trivial_where, draft.transaction = inner.has_where, inner.trivial_where, inner.transaction
    return inner.kind, "ExecuteImmediate"


def _using(reader: Reader) -> None:
    if not reader.accept("USING"):
        return
    if all(token.kind in (VARIABLE, STRING, NUMBER) or token.word == "," for token in _remaining(reader)):
        reader.position = reader.end
    else:
        read_checked(reader)


def _remaining(reader: Reader) -> tuple[Token, ...]:
    return reader.tokens[reader.position : reader.end]


def read_deallocate(reader: Reader) -> tuple[Kind, str]:
    """DEALLOCATE | DROP PREPARE name"""
    reader.advance()
    reader.expect("PREPARE")
    reader.draft.names.append(NameEffect("deallocate", _statement_name(reader)))
    reader.draft.effects.add(Effect.READ)
    return Kind.UTILITY, "Deallocate"


# -- transactions -------------------------------------------------------------------------------------------------------


def read_begin(reader: Reader) -> tuple[Kind, str]:
    reader.expect("BEGIN")
    if reader.begins("NOT", "ATOMIC"):
        reader.draft.effects |= {Effect.CODE, Effect.UNKNOWN}
        reader.draft.opaque = "a block of code that is not looked into"
        reader.position = reader.end
        return Kind.DO, "BeginNotAtomic"
    reader.accept("WORK")
    return _transaction(reader, "Begin")


def read_start(reader: Reader) -> tuple[Kind, str]:
    """START TRANSACTION [WITH CONSISTENT SNAPSHOT] [, READ ONLY | READ WRITE]; all else that starts is administration."""
    reader.expect("START")
    if not reader.accept("TRANSACTION"):
        return read_replication(reader)
    write = False
    while not reader.done:
        if reader.accept("READ", "WRITE"):
            write = True
        elif not (reader.accept("WITH", "CONSISTENT", "SNAPSHOT") or reader.accept("READ", "ONLY")):
            reader.fail("not understood")
        if not reader.accept(","):
            break
    kind = _transaction(reader, "StartTransaction")
    if write:
        reader.draft.transaction = "begin_write"
    return kind


def _transaction(reader: Reader, root: str) -> tuple[Kind, str]:
    reader.draft.effects.add(Effect.TRANSACTION)
    reader.draft.transaction = "begin"
    return Kind.TRANSACTION, root


def read_commit(reader: Reader) -> tuple[Kind, str]:
    reader.expect("COMMIT")
    _completion(reader)
    reader.draft.effects.add(Effect.TRANSACTION)
    reader.draft.transaction = "commit"
    return Kind.TRANSACTION, "Commit"


def read_rollback(reader: Reader) -> tuple[Kind, str]:
    reader.expect("ROLLBACK")
    reader.draft.effects.add(Effect.TRANSACTION)
    reader.accept("WORK")
    if reader.accept("TO"):
        reader.accept("SAVEPOINT")
        reader.name()
        reader.draft.transaction = "rollback_to"
        return Kind.TRANSACTION, "RollbackTo"
    _completion(reader)
    reader.draft.transaction = "rollback"
    return Kind.TRANSACTION, "Rollback"


def _completion(reader: Reader) -> None:
    """[WORK] [AND [NO] CHAIN] [[NO] RELEASE]"""
    reader.accept("WORK")
    if reader.accept("AND"):
        reader.accept("NO")
        reader.expect("CHAIN")
    reader.accept("NO")
    reader.accept("RELEASE")


def read_savepoint(reader: Reader) -> tuple[Kind, str]:
    release = reader.accept("RELEASE")
    reader.expect("SAVEPOINT")
    reader.name()
    reader.draft.effects.add(Effect.TRANSACTION)
    reader.draft.transaction = "release" if release else "savepoint"
    return Kind.TRANSACTION, "ReleaseSavepoint" if release else "Savepoint"


def read_xa(reader: Reader) -> tuple[Kind, str]:
    reader.expect("XA")
    if reader.word not in ("START", "BEGIN", "END", "PREPARE", "COMMIT", "ROLLBACK", "RECOVER"):
        reader.fail("not understood")
    word = reader.advance().word
    for token in reader.tokens[reader.position : reader.end]:
        if token.kind not in (STRING, NUMBER, NAME) and token.word != ",":
            reader.fail("not understood")
    reader.position = reader.end
    reader.draft.effects |= {Effect.TWO_PHASE, Effect.TRANSACTION}
    if word == "RECOVER":
        reader.draft.returns_rows = True
    if word in ("COMMIT", "ROLLBACK"):
        reader.draft.transaction = "commit" if word == "COMMIT" else "rollback"
    if word == "COMMIT":
        reader.draft.effects.add(Effect.WRITE)  # whatever was prepared, by another session too
    return Kind.TRANSACTION, f"Xa{word.capitalize()}"


# -- conditions -----------------------------------------------------------------------------------------------------------


def read_signal(reader: Reader) -> tuple[Kind, str]:
    """SIGNAL | RESIGNAL: raises an error of one's own making, and computes nothing but variables and constants."""
    reader.advance()
    for token in reader.tokens[reader.position : reader.end]:
        if token.word in ("(", ";", ":="):
            reader.fail("not understood")
    reader.position = reader.end
    reader.draft.effects.add(Effect.READ)
    return Kind.UTILITY, "Signal"


def read_diagnostics(reader: Reader) -> tuple[Kind, str]:
    """GET [CURRENT | STACKED] DIAGNOSTICS @a = item, …"""
    reader.expect("GET")
    reader.accept_any(frozenset({"CURRENT", "STACKED"}))
    reader.expect("DIAGNOSTICS")
    while not reader.done:
        token = reader.advance()
        if token.kind == VARIABLE and reader.word == "=":
            reader.draft.effects.add(Effect.SETTING)
            reader.draft.settings.append(Setting(variable_name(token, reader.lexing)))
        elif token.kind not in (NAME, NUMBER, VARIABLE, QUOTED) and token.word not in ("=", ","):
            reader.fail("not understood")
    reader.draft.effects.add(Effect.READ)
    return Kind.UTILITY, "GetDiagnostics"


def read_replication(reader: Reader) -> tuple[Kind, str]:
    """START and STOP of replication threads: SLAVE, REPLICA, ALL SLAVES, GROUP_REPLICATION."""
    allowed = ("SLAVE", "REPLICA", "ALL", "GROUP_REPLICATION")
    if reader.word not in allowed:
        reader.fail("not understood")
    reader.position = reader.end
    reader.draft.effects |= {Effect.ADMIN, Effect.NETWORK}
    return Kind.UTILITY, "Replication"
