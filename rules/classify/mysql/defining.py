"""CREATE, ALTER, DROP, RENAME, TRUNCATE, GRANT, REVOKE: definitions and accounts.

Every relation that a definition names is found: the one that is defined with access `ddl`, those it is made from with
`read`. A definition that carries a body, a file, a library or another server says so in its effects.
Spec: MySQL 8.4 manual §15.1 "Data Definition Statements", §15.7.1 "Account Management Statements".
"""

from __future__ import annotations

from rules.classify.mysql.grammar import parse
from rules.classify.mysql.lexer import NAME, QUOTED, STRING, identifier
from rules.classify.mysql.queries import read_query
from rules.classify.mysql.reading import Reader
from rules.classify.mysql.running import read_deallocate
from rules.classify.mysql.words import word_set
from rules.model import Access, Effect, Kind

_FRONT = word_set(
    """
    OR REPLACE TEMPORARY UNIQUE FULLTEXT SPATIAL VECTOR AGGREGATE UNDO ONLINE OFFLINE IGNORE DEFINER INVOKER SQL
    SECURITY ALGORITHM MERGE TEMPTABLE UNDEFINED = EXTERNAL
    """
)
_ACCOUNTS = frozenset({"USER", "ROLE"})
_BODIES = frozenset({"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE", "LIBRARY"})
_SERVER_WIDE = frozenset({"TABLESPACE", "LOGFILE", "RESOURCE", "INSTANCE"})
_FILE_OPTIONS = frozenset({"DIRECTORY", "FILE_NAME", "DATAFILE"})
_REMOTE_ENGINES = frozenset(
    {"FEDERATED", "CONNECT", "SPIDER", "S3", "MROONGA", "OQGRAPH", "CSV", "SPHINX", "CASSANDRA"}
)


def read_create(reader: Reader) -> tuple[Kind, str]:
    reader.expect("CREATE")
    return _definition(reader, "Create")


def read_alter(reader: Reader) -> tuple[Kind, str]:
    reader.expect("ALTER")
    return _definition(reader, "Alter")


def read_drop(reader: Reader) -> tuple[Kind, str]:
    if reader.peek(1).word == "PREPARE":
        return read_deallocate(reader)
    reader.expect("DROP")
    return _definition(reader, "Drop")


def _definition(reader: Reader, verb: str) -> tuple[Kind, str]:
    _front(reader)
    word = reader.advance().word
    draft = reader.draft
    root = verb + word.capitalize()
    if word in _ACCOUNTS:
        draft.effects.add(Effect.GRANT)
        reader.position = reader.end
        return Kind.GRANT, root
    draft.effects.add(Effect.DDL)
    match word:
        case "TABLE" | "TABLES":
            _tables(reader, verb)
            root = verb + "Table"
        case "VIEW":
            _view(reader, verb)
        case "INDEX":
            _index(reader)
        case "SEQUENCE":
            _names(reader)
            _options(reader)
        case "DATABASE" | "SCHEMA":
            _schema(reader)
            root = verb + "Database"
        case "SERVER":
            draft.effects |= {Effect.NETWORK, Effect.ADMIN}
            _options(reader)
        case _ if word in _BODIES:
            _body(reader, verb, word)
        case _ if word in _SERVER_WIDE or (word == "SPATIAL"):
            draft.effects.add(Effect.ADMIN)
            _options(reader)
        case _:
            reader.position -= 1
            reader.fail("not understood")
    return Kind.DDL, root


def _front(reader: Reader) -> None:
    """OR REPLACE, TEMPORARY, UNIQUE, DEFINER = 'a'@'b', ALGORITHM = …, SQL SECURITY …"""
    while reader.word in _FRONT:
        word = reader.advance().word
        if word == "TEMPORARY":
            reader.draft.effects.add(Effect.NAMESPACE)
        if word == "DEFINER" and reader.accept("="):
            _account(reader)


def _account(reader: Reader) -> None:
    """'user'@'host', user@host, CURRENT_USER()"""
    reader.advance()
    if reader.accept("("):
        reader.expect(")")
    elif reader.peek().kind == "variable":
        reader.advance()


def _exists(reader: Reader) -> None:
    if reader.accept("IF"):
        reader.accept("NOT")
        reader.expect("EXISTS")


def _names(reader: Reader) -> None:
    _exists(reader)
    while True:
        reader.draft.relation(*reader.path(), Access.DDL)
        if not reader.accept(","):
            return


# -- tables ---------------------------------------------------------------------------------------------------------


def _tables(reader: Reader, verb: str) -> None:
    if verb != "Create":
        _names(reader)
        _options(reader)
        return
    _exists(reader)
    reader.draft.relation(*reader.path(), Access.DDL)
    parenthesis = reader.begins("(", "LIKE")
    if parenthesis:
        reader.advance()
    if reader.accept("LIKE"):
        reader.draft.relation(*reader.path(), Access.READ)
        if parenthesis:
            reader.expect(")")
        return
    _options(reader, query=True)


def _options(reader: Reader, query: bool = False) -> None:
    """Columns, options and actions. Tables that they name are noted, and so is what reaches outside the database.

    With `query` a SELECT may follow at the end: CREATE TABLE t AS SELECT … writes rows that it reads elsewhere.
    """
    draft = reader.draft
    while not reader.done:
        word = reader.word
        if query and (word in ("SELECT", "WITH", "VALUES") or _query_parenthesis(reader)) and _at_query(reader):
            draft.effects.add(Effect.WRITE)
            _query(reader)
            return
        if word in ("SELECT", ";"):
            reader.fail("not understood")
        token = reader.advance()
        if token.kind not in (NAME,):
            continue
        match word:
            case "REFERENCES":
                draft.relation(*reader.path(), Access.READ)
            case "RENAME":
                _rename_to(reader)
            case "EXCHANGE":
                reader.expect("PARTITION")
                reader.advance()
                reader.expect("WITH", "TABLE")
                draft.relation(*reader.path(), Access.WRITE)
            case "CONVERT":  # MariaDB: CONVERT TABLE a TO PARTITION p, CONVERT PARTITION p TO TABLE a
                if reader.accept("TABLE"):
                    draft.relation(*reader.path(), Access.DDL)
            case "TABLE":
                if reader.at_name():
                    draft.relation(*reader.path(), Access.DDL)
            case "UNION":
                _merged(reader)
            case "DROP" | "TRUNCATE" if reader.word == "PARTITION":
                draft.effects.add(Effect.WRITE)  # its rows go with it
            case "DISCARD" | "IMPORT" if reader.word in ("TABLESPACE", "PARTITION"):
                draft.effects |= {Effect.FILE_READ, Effect.WRITE}
            case "CONNECTION" if reader.word == "=" or reader.peek().kind == STRING:
                draft.effects.add(Effect.NETWORK)
            case "ENGINE" | "TYPE":
                reader.accept("=")
                engine = reader.peek()
                name = identifier(engine) if engine.kind in (NAME, QUOTED) else engine.text.strip("'\"")
                if name.upper() in _REMOTE_ENGINES:
                    draft.effects |= {Effect.NETWORK, Effect.FILE_READ}
            case _ if word in _FILE_OPTIONS and (reader.word == "=" or reader.peek().kind == STRING):
                draft.effects.add(Effect.FILE_WRITE)


def _query_parenthesis(reader: Reader) -> bool:
    ahead = 0
    while reader.peek(ahead).word == "(":
        ahead += 1
    return ahead > 0 and reader.peek(ahead).word in ("SELECT", "WITH")


def _at_query(reader: Reader) -> bool:
    """WITH also begins options (WITH SYSTEM VERSIONING, WITH PARSER), VALUES those of partitions (VALUES LESS THAN)."""
    if reader.word == "WITH":
        return reader.peek(1).word not in ("SYSTEM", "PARSER", "CONSISTENT", "VALIDATION", "TABLE", "PAGE")
    return reader.word != "VALUES" or reader.peek(1).word in ("ROW",)


def _query(reader: Reader) -> None:
    first = reader.position
    reader.named.clear()
    reader.selects = 0
    read_query(reader, frozenset())
    parse(reader, first, reader.position, "Select")
    reader.named.clear()
    reader.selects = 0


def _without_check_option(reader: Reader) -> None:
    """Cuts WITH [CASCADED | LOCAL] CHECK OPTION from the end of a view's definition."""
    words = [token.word for token in reader.tokens[reader.position : reader.end]]
    if words[-2:] == ["CHECK", "OPTION"]:
        cut = 4 if words[-3:-2] in (["CASCADED"], ["LOCAL"]) else 3
        if words[-cut : -cut + 1] == ["WITH"]:
            reader.end -= cut


def _rename_to(reader: Reader) -> None:
    """RENAME [TO | AS] table; RENAME COLUMN a TO b; RENAME INDEX a TO b"""
    if reader.word in ("COLUMN", "INDEX", "KEY", "CONSTRAINT"):
        return
    if not reader.accept("TO"):
        reader.accept("AS")
    reader.accept("=")
    reader.draft.relation(*reader.path(), Access.DDL)


def _merged(reader: Reader) -> None:
    """UNION = (a, b): of a MERGE table, which is another name for rows of those."""
    reader.accept("=")
    if not reader.accept("("):
        return
    while not reader.accept(")"):
        reader.draft.relation(*reader.path(), Access.WRITE)
        reader.accept(",")


def _view(reader: Reader, verb: str) -> None:
    if verb == "Drop":
        _names(reader)
        _options(reader)
        return
    _exists(reader)
    reader.draft.relation(*reader.path(), Access.DDL)
    if reader.word == "(":
        reader.parenthesized_names()
    reader.expect("AS")
    _without_check_option(reader)
    _query(reader)


def _index(reader: Reader) -> None:
    """CREATE | DROP INDEX name … ON table …"""
    _exists(reader)
    reader.name()
    while reader.word != "ON":
        reader.advance()
    reader.expect("ON")
    reader.draft.relation(*reader.path(), Access.DDL)
    _options(reader)


def _schema(reader: Reader) -> None:
    """A database stands for everything in it."""
    _exists(reader)
    name = reader.name() if reader.at_name() else (reader.draft.database or "*")
    reader.draft.relation(name, "*", Access.DDL)
    _options(reader)


# -- bodies -----------------------------------------------------------------------------------------------------------


def _body(reader: Reader, verb: str, word: str) -> None:
    """Routines, triggers, events. A body is code that runs later, under another's name perhaps."""
    draft = reader.draft
    if word == "PACKAGE":
        reader.accept("BODY")
    _exists(reader)
    reader.path()
    if verb == "Drop":
        return
    draft.effects.add(Effect.CODE)
    while not reader.done:
        token = reader.advance()
        if token.word == "SONAME":
            draft.effects |= {Effect.PROGRAM, Effect.ADMIN}
        elif token.word == "ON" and word == "TRIGGER" and reader.at_name():
            draft.relation(*reader.path(), Access.DDL)
            word = ""
        elif token.word == ";":
            draft.opaque = "a body of several statements, which is not looked into"
            draft.effects.add(Effect.UNKNOWN)
            reader.position = reader.end


# -- the rest -----------------------------------------------------------------------------------------------------------


def read_rename(reader: Reader) -> tuple[Kind, str]:
    """RENAME TABLE a TO b, …; RENAME USER a TO b, …"""
    reader.expect("RENAME")
    if reader.accept("USER"):
        reader.draft.effects.add(Effect.GRANT)
        reader.position = reader.end
        return Kind.GRANT, "RenameUser"
    if not reader.accept_any(frozenset({"TABLE", "TABLES"})):
        reader.fail("not understood")
    _exists(reader)
    while True:
        reader.draft.relation(*reader.path(), Access.DDL)
        if reader.accept("WAIT"):
            reader.number()
        else:
            reader.accept("NOWAIT")
        reader.expect("TO")
        reader.draft.relation(*reader.path(), Access.DDL)
        if not reader.accept(","):
            return Kind.DDL, "RenameTable"


def read_truncate(reader: Reader) -> tuple[Kind, str]:
    reader.expect("TRUNCATE")
    reader.accept("TABLE")
    reader.draft.relation(*reader.path(), Access.WRITE)
    reader.draft.effects.add(Effect.TABLE_LOCK)
    if reader.accept("WAIT"):
        reader.number()
    else:
        reader.accept("NOWAIT")
    return Kind.TRUNCATE, "TruncateTable"


def read_grant(reader: Reader) -> tuple[Kind, str]:
    """GRANT and REVOKE. The table in ON is noted, so that rules about tables see it."""
    root = reader.advance().word.capitalize()
    reader.draft.effects.add(Effect.GRANT)
    while not reader.done:
        token = reader.advance()
        if token.word == "ON":
            _granted_on(reader)
            break
        if token.kind == STRING or token.word in ("TO", "FROM"):
            break
    reader.position = reader.end
    return Kind.GRANT, root


def _granted_on(reader: Reader) -> None:
    if reader.word in ("FUNCTION", "PROCEDURE", "PACKAGE", "LIBRARY"):
        return
    reader.accept("TABLE")
    if reader.word == "*":
        return
    schema: str | None = reader.name()
    name = schema
    if reader.accept("."):
        name = "*" if reader.accept("*") else identifier(reader.advance())
    else:
        schema = None
    effects = set(reader.draft.effects)
    reader.draft.relation(schema, name or "*", Access.DDL)
    reader.draft.effects = effects
