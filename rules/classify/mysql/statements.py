"""From a text to its statements: the fences in front, the cut at semicolons, the reader for each leading word."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from sqlglot import exp

from rules.catalog import Catalog
from rules.classify.mysql.changes import read_statement
from rules.classify.mysql.conditions import is_steady, is_trivial
from rules.classify.mysql.draft import Draft
from rules.classify.mysql.grammar import parse
from rules.classify.mysql.lexer import QUOTED, STRING, VARIABLE, Lexing, Text, Token, Unreadable, lex
from rules.classify.mysql.reading import Reader
from rules.classify.mysql.words import word_set
from rules.model import Effect, Kind, Namespace, Statement

Recognizer = Callable[[Reader], tuple[Kind, str]]
Witness = Callable[[Statement, Reader], None]

_UTF8 = frozenset({"utf8", "utf8mb3", "utf8mb4"})
_SINGLE_BYTE = word_set(
    """
    ascii armscii8 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r
    koi8u latin1 latin2 latin5 latin7 macce macroman tis620
    """
)  # swe7 is not among them: it has letters where ASCII has brackets and a backslash
_ASCII_BASED = (
    _UTF8 | _SINGLE_BYTE | frozenset({"gbk", "sjis", "big5", "cp932", "gb18030", "gb2312", "euckr", "ujis", "eucjpms"})
)
_OTHER_GRAMMAR = frozenset({"ORACLE", "MSSQL"})
_ANSI = frozenset({"ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "POSTGRESQL", "MSSQL", "ORACLE"})
_DOUBTFUL = frozenset("'\"`\\#")
_MAX_STATEMENTS = 500  # of one text; each costs what a statement of its own would
_MAX_INSIDE = 6  # statements inside statements: PREPARE of PREPARE, views, routines

QUERY_WORDS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "(", "INSERT", "REPLACE", "UPDATE", "DELETE"})


def classify_text(
    text: str, namespace: Namespace, catalog: Catalog | None, depth: int = 0, witness: Witness | None = None
) -> tuple[Statement, ...]:
    """Raises nothing that the text could bring about, but may meet a bug of ours: the caller stands in front of that.

    `witness` is told of each statement that was read, and by whom: of none where the text could not be cut.
    """
    lexing = lexing_of(namespace)
    try:
        _fences(text, namespace)
        cut = lex(text, lexing)
        if not namespace.lexing_known:
            _unambiguous(text, cut)
        if namespace.charset.lower() not in _UTF8:
            _plain_outside_quotes(text, cut, namespace)
    except Unreadable as reason:
        return (opaque(text.strip(), str(reason)),) if text.strip(" \t\n\v\f\r;") else ()
    return _sequence(text, cut, namespace, catalog, depth, witness)


def lexing_of(namespace: Namespace) -> Lexing:
    modes = {mode.upper() for mode in namespace.sql_mode}
    return Lexing(ansi_quotes=bool(modes & _ANSI), backslash="NO_BACKSLASH_ESCAPES" not in modes)


def opaque(text: str, reason: str) -> Statement:
    return Statement(text=text, kind=Kind.OPAQUE, root="Unreadable", effects=frozenset({Effect.UNKNOWN}), opaque=reason)


# -- fences ---------------------------------------------------------------------------------------------------------


def _fences(text: str, namespace: Namespace) -> None:
    charset = namespace.charset.lower()
    if charset not in _ASCII_BASED:
        raise Unreadable(f"the character set {charset} of the session is not one that is read here")
    if {mode.upper() for mode in namespace.sql_mode} & _OTHER_GRAMMAR:
        raise Unreadable("the session's sql_mode is that of another grammar")
    if text.isascii():
        return
    if charset not in _UTF8 and charset not in _SINGLE_BYTE:
        raise Unreadable(f"letters beyond ASCII in {charset}, where one of their bytes may be a quote or a backslash")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Unreadable("bytes that are no text in the session's character set")


def _unambiguous(text: str, cut: Text) -> None:
    """Not known how the server reads: only what reads the same in every way."""
    if cut.comments or not text.isascii() or any(letter in _DOUBTFUL for letter in text):
        raise Unreadable("it has quotes, backslashes or comments, and it is not known how the session reads them")


def _plain_outside_quotes(text: str, cut: Text, namespace: Namespace) -> None:
    """In latin1 the letter U+00A0 is white space, in cp1251 another: names beyond ASCII are left to UTF-8."""
    if text.isascii():
        return
    for token in cut.tokens:
        if token.kind not in (STRING, QUOTED, VARIABLE) and not token.text.isascii():
            raise Unreadable(f"letters beyond ASCII outside of quotes in {namespace.charset}")


# -- the statements of a text -------------------------------------------------------------------------------------------


def _sequence(
    text: str, cut: Text, namespace: Namespace, catalog: Catalog | None, depth: int, witness: Witness | None
) -> tuple[Statement, ...]:
    """Classifies one after the other, as the server runs them: USE and SET change what the next ones mean."""
    spans = _spans(cut.tokens)
    if len(spans) > _MAX_STATEMENTS:
        return (opaque(text.strip(), f"more than {_MAX_STATEMENTS} statements"),)
    found: list[Statement] = []
    database, pinned, reason, moved = namespace.database, False, "", False
    for first, last in spans:
        part = text[cut.tokens[first].start : cut.tokens[last - 1].end]
        draft = Draft(database=database, pinned=pinned)
        reader = Reader(text, cut, first, last, namespace, lexing_of(namespace), draft, catalog, depth)
        if reason and not _reads_alike(cut.tokens[first:last], cut):
            statement = opaque(part, reason)
            if witness is not None:
                witness(statement, reader)
            found.append(statement)
            continue
        if swallows := (len(spans) > 1 and last < len(cut.tokens) and _compound(reader)):
            reader.end = len(cut.tokens)
            part = text[cut.tokens[first].start :].strip()
        statement = read(reader, part)
        if moved and statement.opaque is None and _looks_up(statement):
            why = "a statement before it in the same text may have changed the current database"
            statement = evolve(statement, opaque=why, effects=statement.effects | {Effect.UNKNOWN})
        if witness is not None:
            witness(statement, reader)
        found.append(statement)
        if swallows:
            break
        if (home := next((s.value for s in statement.settings if s.name == "database"), None)) is not None:
            database, pinned = home, True
        if _may_change_reading(statement):
            reason = "a statement before it in the same text may change how it is read"
            moved = moved or statement.effects != {Effect.LEXING, Effect.SETTING}
    return tuple(evolve(statement, index=i, batch=len(found)) for i, statement in enumerate(found))


def _looks_up(statement: Statement) -> bool:
    """Whether what it names depends on the current database. MariaDB prepares and executes USE."""
    return any(relation.schema is None for relation in statement.relations) or any(
        function.schema is None and not function.known for function in statement.functions
    )


def _may_change_reading(statement: Statement) -> bool:
    """SET, and whatever may run one: code, text made at run time, a prepared statement whose text is not here."""
    return (
        statement.opaque is not None
        or not statement.effects.isdisjoint({Effect.LEXING, Effect.CODE, Effect.UNKNOWN, Effect.DYNAMIC_SQL})
        or any(name.action == "execute" for name in statement.names)
    )


def _spans(tokens: tuple[Token, ...]) -> list[tuple[int, int]]:
    spans, first = [], 0
    for at, token in enumerate(tokens):
        if token.word == ";":
            if at > first:
                spans.append((first, at))
            first = at + 1
    if len(tokens) > first:
        spans.append((first, len(tokens)))
    return spans


def _reads_alike(tokens: tuple[Token, ...], cut: Text) -> bool:
    """Whether these tokens would be cut the same under any sql_mode and character set."""
    return not cut.comments and all(token.text.isascii() and not _DOUBTFUL & set(token.text) for token in tokens)


def _compound(reader: Reader) -> bool:
    """Whether the statement may have semicolons of its own: bodies of routines, triggers, events; BEGIN NOT ATOMIC."""
    if reader.begins("BEGIN", "NOT"):
        return True
    if reader.word not in ("CREATE", "ALTER"):
        return False
    kinds = ("PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE", "LIBRARY")
    for ahead in range(1, 24):  # behind OR REPLACE, DEFINER = 'a'@'b', AGGREGATE
        word = reader.peek(ahead).word
        if word in kinds:
            return True
        if word in ("TABLE", "VIEW", "DATABASE", "SCHEMA", "INDEX", "USER", "ROLE", "SERVER"):
            return False
    return False


def read(reader: Reader, text: str) -> Statement:
    """Reads the statement at the cursor to its end. Total: what is not understood is opaque."""
    draft = reader.draft
    try:
        if reader.depth > _MAX_INSIDE:
            raise Unreadable("statements inside statements, nested too deep")
        _note_hints(reader)
        kind, root = _recognize(reader)
        reader.finished()
    except Unreadable as reason:
        draft.opaque = draft.opaque or str(reason)
        kind, root = Kind.OPAQUE, "Unreadable"
    except RecursionError:
        draft.opaque = "nested too deep"
        kind, root = Kind.OPAQUE, "Unreadable"
    if (
        draft.opaque is not None
    ):  # understood as far as its kind goes: PREPARE of a variable, a body of several statements
        draft.effects.add(Effect.UNKNOWN)
    return draft.finish(text, kind, root)


def _recognize(reader: Reader) -> tuple[Kind, str]:
    from rules.classify.mysql.recognizers import RECOGNIZERS

    word = reader.word
    if word in QUERY_WORDS:
        return read_rows(reader)
    recognizer = RECOGNIZERS.get(word)
    if recognizer is None:
        reader.fail("no statement that is known begins like this")
        raise AssertionError
    return recognizer(reader)


def read_rows(reader: Reader) -> tuple[Kind, str]:
    """A query or a change of rows: read by us, then by the parser, and both must agree."""
    first = reader.position
    if reader.word == "REPLACE":
        reader.position += 1
        reader.substitute(first, "INSERT")
        reader.position = first
    kind, root = read_statement(reader)
    tree = parse(reader, first, reader.end, root)
    if reader.draft.has_where:
        where = tree.args.get("where")
        if not isinstance(where, exp.Where):
            raise Unreadable("two readers find a different WHERE")
        only = tree.args.get("this")
        target = only.name if isinstance(only, exp.Table) and len(reader.named) <= 1 else None
        reader.draft.trivial_where = is_trivial(where.this, target)
        reader.draft.literal = reader.draft.literal or not is_steady(where.this)
    elif reader.draft.has_where is False and tree.args.get("where") is not None:
        raise Unreadable("two readers find a different WHERE")
    return kind, root


def _note_hints(reader: Reader) -> None:
    """Optimizer hints are read by MySQL where they stand behind the first word: SET_VAR changes a setting."""
    start, end = reader.tokens[reader.position].start, reader.tokens[reader.end - 1].end
    for a, b in reader.cut.hints:
        if start <= a < end:
            hint = reader.text[a:b].upper()
            if "SET_VAR" in hint:
                reader.draft.effects.add(Effect.SETTING)
                reader.draft.effects.add(Effect.UNKNOWN)
            if "RESOURCE_GROUP" in hint:
                reader.draft.effects.add(Effect.ADMIN)


# -- statements inside statements -----------------------------------------------------------------------------------------


def classify_rest(reader: Reader) -> Statement:
    """The statement that begins at the cursor and ends with this one: of EXPLAIN, SET STATEMENT … FOR."""
    if reader.done:
        reader.fail("expected a statement")
    draft = Draft(database=reader.draft.database, pinned=reader.draft.pinned)
    inner = Reader(
        reader.text, reader.cut, reader.position, reader.end, reader.namespace, reader.lexing, draft, reader.catalog,
        reader.depth + 1,
    )  # fmt: skip
    text = reader.rest()
    reader.position = reader.end
    return read(inner, text)


def classify_inside(text: str, reader: Reader, database: str | None) -> Statement | None:
    """The one statement that a stored text holds; None when it is none or several. The server stored it in its own way."""
    namespace = Namespace(
        database=database, mariadb=reader.namespace.mariadb, server_version=reader.namespace.server_version
    )
    found = classify_text(text, namespace, reader.catalog, reader.depth + 1)
    return found[0] if len(found) == 1 else None


__all__ = ["QUERY_WORDS", "classify_inside", "classify_rest", "classify_text", "opaque", "read", "read_rows"]
