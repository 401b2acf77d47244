"""SHOW, DESCRIBE, EXPLAIN, ANALYZE and HELP.

Spec: MySQL 8.4 manual §15.7.7 "SHOW Statements", §15.8.2 "EXPLAIN Statement"; MariaDB knowledge base "ANALYZE Statement".
"""

from __future__ import annotations

from attrs import frozen

from rules.classify.mysql.lexer import NAME, QUOTED, STRING
from rules.classify.mysql.maintaining import read_table_maintenance
from rules.classify.mysql.reading import Reader
from rules.classify.mysql.statements import QUERY_WORDS, classify_rest
from rules.classify.mysql.values import read_checked
from rules.model import Access, Effect, Kind, Relation, Setting


@frozen
class _Form:
    telling: bool = False  # shows other people's statements, accounts or rows
    table: bool = False  # a table's name follows, perhaps behind FROM or IN
    schema: bool = False  # FROM or IN is followed by a schema
    rest: bool = False  # what follows names no table and computes nothing: not looked at


_PLAIN = _Form()
_OF_SCHEMA = _Form(schema=True)
_OF_TABLE = _Form(table=True)
_TELLING = _Form(telling=True, rest=True)
_REST = _Form(rest=True)

# By the words behind SHOW, longest first. GLOBAL, SESSION, FULL and the like are taken off before.
_FORMS: dict[tuple[str, ...], _Form] = {
    ("DATABASES",): _PLAIN, ("SCHEMAS",): _PLAIN, ("TABLES",): _OF_SCHEMA, ("TABLE", "STATUS"): _OF_SCHEMA,
    ("OPEN", "TABLES"): _OF_SCHEMA, ("TRIGGERS",): _OF_SCHEMA, ("EVENTS",): _OF_SCHEMA, ("SEQUENCES",): _OF_SCHEMA,
    ("COLUMNS",): _OF_TABLE, ("FIELDS",): _OF_TABLE, ("INDEX",): _OF_TABLE, ("INDEXES",): _OF_TABLE, ("KEYS",): _OF_TABLE,
    ("CREATE", "TABLE"): _OF_TABLE, ("CREATE", "VIEW"): _OF_TABLE, ("CREATE", "SEQUENCE"): _OF_TABLE,
    ("CREATE", "DATABASE"): _REST, ("CREATE", "SCHEMA"): _REST, ("CREATE", "PROCEDURE"): _REST,
    ("CREATE", "FUNCTION"): _REST, ("CREATE", "TRIGGER"): _REST, ("CREATE", "EVENT"): _REST, ("CREATE", "PACKAGE"): _REST,
    ("CREATE", "LIBRARY"): _REST,
    ("VARIABLES",): _PLAIN, ("STATUS",): _PLAIN, ("WARNINGS",): _REST, ("ERRORS",): _REST, ("COUNT",): _REST,
    ("ENGINES",): _PLAIN, ("STORAGE", "ENGINES"): _PLAIN, ("PLUGINS",): _REST, ("PRIVILEGES",): _PLAIN,
    ("CHARACTER", "SET"): _PLAIN, ("CHARSET",): _PLAIN, ("COLLATION",): _PLAIN, ("LOCALES",): _PLAIN,
    ("PROCEDURE", "STATUS"): _PLAIN, ("FUNCTION", "STATUS"): _PLAIN, ("PACKAGE", "STATUS"): _PLAIN,
    ("PACKAGE", "BODY", "STATUS"): _PLAIN,
    ("LIBRARY", "STATUS"): _PLAIN, ("PROCEDURE", "CODE"): _REST, ("FUNCTION", "CODE"): _REST,
    ("PROFILES",): _REST, ("PROFILE",): _REST, ("AUTHORS",): _PLAIN, ("CONTRIBUTORS",): _PLAIN,
    ("PROCESSLIST",): _TELLING, ("CREATE", "USER"): _TELLING, ("CREATE", "SERVER"): _TELLING,
    ("BINARY",): _TELLING, ("MASTER",): _TELLING, ("BINLOG",): _TELLING, ("RELAYLOG",): _TELLING,
    ("SLAVE",): _TELLING, ("REPLICA",): _TELLING, ("REPLICAS",): _TELLING, ("ALL", "SLAVES"): _TELLING,
    ("ALL", "REPLICAS"): _TELLING, ("ENGINE",): _TELLING, ("EXPLAIN",): _TELLING, ("ANALYZE",): _TELLING,
    ("USER_STATISTICS",): _TELLING, ("CLIENT_STATISTICS",): _TELLING, ("INDEX_STATISTICS",): _REST,
    ("TABLE_STATISTICS",): _REST, ("QUERY_RESPONSE_TIME",): _REST,
}  # fmt: skip
_SKIPPED = frozenset({"FULL", "EXTENDED", "GLOBAL", "SESSION", "LOCAL"})
_OWN = frozenset({"CURRENT_USER", "CURRENT_ROLE"})


def read_show(reader: Reader) -> tuple[Kind, str]:
    reader.expect("SHOW")
    reader.draft.returns_rows = True
    reader.draft.effects.add(Effect.READ)
    while reader.word in _SKIPPED and reader.peek(1).kind == NAME:
        reader.advance()
    if reader.accept("GRANTS"):
        _grants(reader)
        return Kind.SHOW, "ShowGrants"
    form, root = _form(reader)
    if form.telling:
        reader.draft.effects.add(Effect.SAMPLES)
    if root == "ShowCreateUser":
        reader.draft.relation("mysql", "user")  # what it shows is a row of it, password hash included
    if root == "ShowCreateServer":
        reader.draft.relation("mysql", "servers")  # the password of another server
    if form.rest:
        _plain_rest(reader)
        return Kind.SHOW, root
    if form.table:
        _table(reader)
    elif form.schema and reader.accept_any(frozenset({"FROM", "IN"})):
        reader.name()
    _filter(reader)
    return Kind.SHOW, root


def _form(reader: Reader) -> tuple[_Form, str]:
    for length in (3, 2, 1):
        words = tuple(reader.peek(i).word for i in range(length))
        if (form := _FORMS.get(words)) is not None:
            reader.position += length
            return form, "Show" + "".join(word.capitalize() for word in words)
    reader.fail("not understood")
    raise AssertionError


def _grants(reader: Reader) -> None:
    """One's own are harmless, except that MariaDB writes the hash of the password with them; another's tell who may do what."""
    if reader.namespace.mariadb:
        reader.draft.relation("mysql", "global_priv")
    if reader.accept("FOR"):
        if reader.accept_any(_OWN):
            if reader.accept("("):
                reader.expect(")")
        else:
            reader.draft.effects.add(Effect.SAMPLES)
            _plain_rest(reader)
    reader.finished()


def _plain_rest(reader: Reader) -> None:
    """What follows is names and numbers. A parenthesis could hold a call or a query; only COUNT(*) has one."""
    while not reader.done:
        if reader.begins("(", "*", ")"):
            reader.position += 3
        elif reader.word in ("(", "SELECT", "WHERE", "INTO"):
            if reader.word == "WHERE":
                _filter(reader)
            else:
                reader.fail("not understood")
        else:
            reader.advance()


def _table(reader: Reader) -> None:
    """[FROM | IN] table [FROM | IN schema], or IF NOT EXISTS table."""
    reader.accept_any(frozenset({"FROM", "IN"}))
    schema, name = reader.path()
    if reader.accept_any(frozenset({"FROM", "IN"})):
        schema = reader.name()
    reader.draft.relation(schema, name, Access.READ)


def _filter(reader: Reader) -> None:
    if reader.accept("LIKE"):
        reader.string()
    elif reader.accept("WHERE"):
        read_checked(reader)
    if reader.accept("LIMIT"):
        read_checked(reader)


# -- DESCRIBE and EXPLAIN -----------------------------------------------------------------------------------------------

_STATEMENTS = QUERY_WORDS | {"SET"}  # MariaDB explains SET STATEMENT … FOR as well


def read_explain(reader: Reader) -> tuple[Kind, str]:
    """DESCRIBE table [column] | EXPLAIN [options] statement | EXPLAIN … FOR CONNECTION n"""
    reader.advance()
    reader.draft.returns_rows = True
    reader.draft.effects.add(Effect.READ)
    analyze = _options(reader)
    if reader.accept("FOR", "CONNECTION"):
        reader.number()
        reader.draft.effects.add(Effect.SAMPLES)
        return Kind.EXPLAIN, "ExplainConnection"
    if reader.begins("FOR") and reader.peek(1).word in ("SCHEMA", "DATABASE"):
        reader.fail("not understood")
    if reader.word not in _STATEMENTS:
        if analyze:
            reader.fail("not understood")
        return _describe(reader)
    return _explained(reader, analyze)


def _options(reader: Reader) -> bool:
    """EXTENDED, PARTITIONS, FORMAT = name, ANALYZE, INTO @variable. Whether ANALYZE is among them: that runs it."""
    analyze = False
    while True:
        if reader.word == "ANALYZE":
            reader.advance()
            analyze = True
        elif reader.word in ("EXTENDED", "PARTITIONS") and reader.peek(1).kind in (NAME, "operator"):
            reader.advance()
        elif reader.begins("FORMAT", "="):
            reader.position += 2
            if reader.peek().kind not in (NAME, STRING, QUOTED):
                reader.fail("not understood")
            reader.advance()
        elif reader.word == "INTO":
            reader.advance()
            reader.draft.effects.add(Effect.SETTING)
            reader.draft.settings.append(Setting(reader.variable()))
        else:
            return analyze


def _describe(reader: Reader) -> tuple[Kind, str]:
    schema, name = reader.path()
    reader.draft.relation(schema, name, Access.READ)
    if not reader.done:
        token = reader.advance()
        if token.kind not in (NAME, QUOTED, STRING):
            reader.fail("not understood")
    return Kind.SHOW, "Describe"


def _explained(reader: Reader, analyze: bool) -> tuple[Kind, str]:
    """With ANALYZE the statement is what it runs. Without, it changes no row, and yet the optimizer may call functions."""
    inner = classify_rest(reader)
    draft = reader.draft
    draft.inner = inner
    if inner.opaque is not None:
        draft.opaque = inner.opaque
    if analyze:
        draft.absorb(inner)
        draft.has_where, draft.trivial_where = inner.has_where, inner.trivial_where
        return inner.kind, "ExplainAnalyze"
    for relation in inner.relations:
        draft.relations[Relation(relation.schema, relation.name)] = None
    for function in inner.functions:
        draft.function(function)
    draft.effects |= inner.effects & {Effect.SAMPLES, Effect.UNKNOWN}
    return Kind.EXPLAIN, "Explain"


def read_analyze(reader: Reader) -> tuple[Kind, str]:
    """ANALYZE [NO_WRITE_TO_BINLOG | LOCAL] TABLE …; MariaDB's ANALYZE [FORMAT = JSON] statement runs the statement."""
    ahead = 2 if reader.peek(1).word in ("NO_WRITE_TO_BINLOG", "LOCAL") else 1
    if reader.peek(ahead).word in ("TABLE", "TABLES"):
        return read_table_maintenance(reader)
    return read_explain_analyze(reader)


def read_explain_analyze(reader: Reader) -> tuple[Kind, str]:
    reader.draft.returns_rows = True
    reader.draft.effects.add(Effect.READ)
    _options(reader)
    if reader.word not in _STATEMENTS:
        reader.fail("not understood")
    return _explained(reader, analyze=True)


def read_help(reader: Reader) -> tuple[Kind, str]:
    reader.expect("HELP")
    if reader.peek().kind not in (STRING, NAME, QUOTED):
        reader.fail("expected a topic")
    reader.advance()
    reader.draft.returns_rows = True
    reader.draft.effects.add(Effect.READ)
    return Kind.SHOW, "Help"
