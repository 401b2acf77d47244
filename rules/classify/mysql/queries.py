"""Reading queries: blocks, set operations, common table expressions, what stands in FROM, and what stands behind.

Linear in the number of tokens, recursive only where parentheses are. What is read here decides; the parser that follows
must agree with it about every table and every query block.
Spec: MySQL 8.4 manual §15.2.13 "SELECT Statement"; MariaDB knowledge base "SELECT".
"""

from __future__ import annotations

from attrs import frozen

from rules.classify.mysql.expressions import Names, read_expression
from rules.classify.mysql.lexer import NAME, QUOTED, STRING, VARIABLE, identifier
from rules.classify.mysql.reading import Reader
from rules.classify.mysql.views import look_into_view
from rules.classify.mysql.words import RESERVED
from rules.model import Access, Effect, Setting

_OPTIONS = frozenset(
    [
        "ALL",
        "DISTINCT",
        "DISTINCTROW",
        "HIGH_PRIORITY",
        "STRAIGHT_JOIN",
        "SQL_SMALL_RESULT",
        "SQL_BIG_RESULT",
        "SQL_BUFFER_RESULT",
        "SQL_CACHE",
        "SQL_NO_CACHE",
        "SQL_CALC_FOUND_ROWS",
    ]
)
_BLANKED_OPTIONS = _OPTIONS - {"ALL", "DISTINCT", "DISTINCTROW"}
_SET_OPERATORS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_TAIL = frozenset({"ORDER", "LIMIT", "INTO", "FOR", "LOCK", "PROCEDURE", "FETCH", "OFFSET"})
_END_OF_BLOCK = _SET_OPERATORS | _TAIL | {"ON", "RETURNING"}
_AFTER_FROM = _END_OF_BLOCK | {"WHERE", "GROUP", "HAVING", "WINDOW"}
_CLAUSE_ENDS = _AFTER_FROM | {"FROM"}
_JOINS = frozenset({"JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "STRAIGHT_JOIN"})
_HINT_WORDS = frozenset({"USE", "FORCE", "IGNORE"})
_QUERY = frozenset({"SELECT", "WITH", "TABLE", "VALUES"})
_CHAIN = 8  # joins in a row without ON: the parser tries 2ⁿ ways to pair them


@frozen
class Source:
    """A table in FROM."""

    schema: str | None
    name: str
    alias: str | None
    derived: bool = False  # a subquery, a JSON_TABLE or a common table expression: nothing that could be written to


def read_query(reader: Reader, names: Names) -> None:
    """A query expression with its WITH, up to what cannot belong to it."""
    read_query_body(reader, read_with(reader, names))


def read_query_body(reader: Reader, names: Names) -> None:
    _term(reader, names)
    continue_query(reader, names)


def continue_query(reader: Reader, names: Names) -> None:
    """Set operations after a first operand, and the clauses behind all of them."""
    while reader.accept_any(_SET_OPERATORS):
        reader.accept_any(frozenset({"ALL", "DISTINCT"}))
        _term(reader, names)
    _tail(reader, names)


def read_with(reader: Reader, names: Names) -> Names:
    """WITH [RECURSIVE] name [(columns)] AS (query), …: the names that are in sight behind it."""
    if not reader.accept("WITH"):
        return names
    recursive = reader.accept("RECURSIVE")
    while True:
        name = reader.name()
        if reader.word == "(":
            reader.parenthesized_names()
        reader.expect("AS")
        reader.expect("(")
        read_query(reader, names | {name} if recursive else names)
        reader.expect(")")
        if reader.word == "CYCLE":  # MariaDB: CYCLE columns RESTRICT
            reader.fail("not understood")
        names = names | {name}
        if not reader.accept(","):
            return names


def _term(reader: Reader, names: Names) -> None:
    match reader.word:
        case "SELECT":
            _block(reader, names)
        case "VALUES":
            reader.advance()
            reader.draft.effects.add(Effect.READ)
            read_expression(reader, names, _END_OF_BLOCK)
        case "TABLE":
            reader.advance()
            reader.selects += 1  # the parser reads TABLE t as SELECT * FROM t
            _table(reader, names)
        case "(":
            reader.advance()
            read_query(reader, names)
            reader.expect(")")
        case _:
            reader.fail("expected a query")


def _block(reader: Reader, names: Names) -> None:
    reader.expect("SELECT")
    reader.selects += 1
    while option := reader.accept_any(_OPTIONS):
        if option in _BLANKED_OPTIONS:
            reader.substitute(reader.position - 1)
    reader.draft.effects.add(Effect.READ)
    first = reader.position
    read_expression(reader, names, _CLAUSE_ENDS)
    if reader.position == first:
        reader.fail("expected columns")
    if reader.word == "INTO":
        read_into(reader)
    if reader.accept("FROM"):
        read_tables(reader, names, _AFTER_FROM)
    if reader.accept("WHERE"):
        read_expression(reader, names, _END_OF_BLOCK | {"GROUP", "HAVING", "WINDOW"})
    if reader.accept("GROUP"):
        reader.expect("BY")
        read_expression(reader, names, _END_OF_BLOCK | {"HAVING", "WINDOW"})
    if reader.accept("HAVING"):
        read_expression(reader, names, _END_OF_BLOCK | {"WINDOW"})
    if reader.accept("WINDOW"):
        read_expression(reader, names, _END_OF_BLOCK)


def _tail(reader: Reader, names: Names) -> None:
    """ORDER BY, LIMIT, INTO and locks, in any order: the server knows which orders it takes."""
    while True:
        match reader.word:
            case "ORDER":
                reader.advance()
                reader.expect("BY")
                read_expression(reader, names, _TAIL | {"ON", "RETURNING"} | _SET_OPERATORS)
            case "LIMIT" | "OFFSET" | "FETCH":
                reader.advance()
                read_expression(reader, names, _TAIL | {"ON", "RETURNING"} | _SET_OPERATORS)
            case "INTO":
                read_into(reader)
            case "FOR":
                _row_lock(reader)
            case "LOCK":
                first = reader.position
                reader.expect("LOCK", "IN", "SHARE", "MODE")
                _wait(reader)
                reader.substitute(first)
                reader.draft.effects.add(Effect.ROW_LOCK)
            case _:
                return


def _row_lock(reader: Reader) -> None:
    """FOR UPDATE | FOR SHARE [OF table, …] [NOWAIT | SKIP LOCKED | WAIT n]"""
    first = reader.position
    reader.expect("FOR")
    if not reader.accept_any(frozenset({"UPDATE", "SHARE"})):
        reader.fail("not understood")
    if reader.accept("OF"):
        reader.path()
        while reader.accept(","):
            reader.path()
    _wait(reader)
    reader.substitute(first)
    reader.draft.effects.add(Effect.ROW_LOCK)


def _wait(reader: Reader) -> None:
    if reader.accept("WAIT"):
        reader.number()
    elif not reader.accept("NOWAIT"):
        reader.accept("SKIP", "LOCKED")


def read_into(reader: Reader) -> None:
    """INTO OUTFILE, INTO DUMPFILE or INTO @variable. The parser knows none of them and does not see them."""
    first = reader.position
    reader.expect("INTO")
    if reader.accept_any(frozenset({"OUTFILE", "DUMPFILE"})):
        reader.string()
        reader.draft.effects.add(Effect.FILE_WRITE)
        _file_format(reader)
    else:
        while True:
            reader.draft.settings.append(Setting(reader.variable()))
            reader.draft.effects.add(Effect.SETTING)
            if not reader.accept(","):
                break
    reader.substitute(first)


def _file_format(reader: Reader) -> None:
    if reader.accept("CHARACTER", "SET") or reader.accept("CHARSET"):
        reader.advance()
    if reader.accept_any(frozenset({"FIELDS", "COLUMNS"})):
        _format_parts(reader, frozenset({"TERMINATED", "ENCLOSED", "ESCAPED", "OPTIONALLY"}))
    if reader.accept("LINES"):
        _format_parts(reader, frozenset({"TERMINATED", "STARTING"}))


def _format_parts(reader: Reader, words: frozenset[str]) -> None:
    while reader.accept_any(words):
        reader.accept("ENCLOSED")
        reader.expect("BY")
        if reader.peek().kind not in (STRING, "number"):
            reader.fail("expected a string")
        reader.advance()


# -- FROM -----------------------------------------------------------------------------------------------------------


def read_tables(reader: Reader, names: Names, stops: frozenset[str]) -> list[Source]:
    """Table references up to a word of `stops`: joins, commas, parentheses, derived tables."""
    sources: list[Source] = []
    _factor(reader, names, stops, sources)
    chain = 0
    while not reader.done and reader.word not in stops and reader.word != ")":
        if reader.accept(","):
            chain = 0
        else:
            _join(reader)
            chain += 1
            if chain > _CHAIN:
                reader.fail(f"more than {_CHAIN} joins in a row without ON")
        _factor(reader, names, stops, sources)
        chain = 0 if _condition(reader, names, stops) else chain
    return sources


def _join(reader: Reader) -> None:
    if reader.accept("STRAIGHT_JOIN"):
        return
    start = reader.position
    while reader.accept_any(frozenset({"NATURAL", "INNER", "CROSS", "LEFT", "RIGHT", "OUTER"})):
        if reader.position - start > 3:
            break
    reader.expect("JOIN")


def _condition(reader: Reader, names: Names, stops: frozenset[str]) -> bool:
    found = False
    while reader.word in ("ON", "USING") and not (reader.word == "ON" and reader.peek(1).word == "DUPLICATE"):
        found = True
        if reader.accept("USING"):
            reader.parenthesized_names()
        else:
            reader.advance()
            read_expression(reader, names, stops | _JOINS | {",", "ON", "USING"})
    return found


def _factor(reader: Reader, names: Names, stops: frozenset[str], sources: list[Source]) -> None:
    if reader.accept("LATERAL") and reader.word != "(":
        reader.fail("expected a subquery")
    if reader.word == "(":
        _parenthesis(reader, names, sources)
        return
    if reader.word == "JSON_TABLE":
        read_call_in_from(reader, names)
        sources.append(Source(None, "json_table", _alias(reader, stops), derived=True))
        return
    sources.append(_table(reader, names, stops))


def read_call_in_from(reader: Reader, names: Names) -> None:
    """JSON_TABLE(expression, path COLUMNS (…)), the one table function there is."""
    reader.advance()
    reader.expect("(")
    read_expression(reader, names, frozenset(), frozenset({"ON", "FOR"}))
    reader.expect(")")


def _parenthesis(reader: Reader, names: Names, sources: list[Source]) -> None:
    """A derived table, a union of them, or table references in parentheses."""
    reader.expect("(")
    if reader.word in _QUERY:
        read_query(reader, names)
        reader.expect(")")
        sources.append(Source(None, "", _alias(reader, frozenset()), derived=True))
        return
    inner = read_tables(reader, names, _SET_OPERATORS)
    if reader.word in _SET_OPERATORS:
        continue_query(reader, names)
        inner = [Source(None, "", None, derived=True)]
    reader.expect(")")
    alias = _alias(reader, frozenset())
    sources += [Source(None, "", alias, derived=True)] if alias is not None else inner


def _table(reader: Reader, names: Names, stops: frozenset[str] = frozenset()) -> Source:
    """name [PARTITION (…)] [FOR SYSTEM_TIME …] [[AS] alias] [index hints]"""
    if reader.accept("DUAL"):
        return Source(None, "dual", None, derived=True)
    schema, name = reader.path()
    if reader.word == "(":
        reader.fail("a function in place of a table")
    common = schema is None and name in names
    reader.named.add((schema, name))
    if not common:
        reader.draft.relation(schema, name, Access.READ)
        look_into_view(reader, schema, name)
    if reader.accept("PARTITION"):
        reader.parenthesized_names()
    if reader.begins("FOR", "SYSTEM_TIME"):
        _system_time(reader, names)
    alias = _alias(reader, stops)
    _index_hints(reader)
    return Source(schema, name, alias, derived=common)


def _system_time(reader: Reader, names: Names) -> None:
    """MariaDB: FOR SYSTEM_TIME AS OF t | BETWEEN t AND t | FROM t TO t | ALL. The parser does not see it."""
    first = reader.position
    reader.position += 2
    if not reader.accept("ALL"):
        if reader.accept("AS", "OF"):
            _point_in_time(reader, names)
        elif reader.accept("BETWEEN"):
            _point_in_time(reader, names)
            reader.expect("AND")
            _point_in_time(reader, names)
        else:
            reader.expect("FROM")
            _point_in_time(reader, names)
            reader.expect("TO")
            _point_in_time(reader, names)
    reader.substitute(first)


def _point_in_time(reader: Reader, names: Names) -> None:
    if reader.peek(1).word != "(":
        reader.accept_any(frozenset({"TIMESTAMP", "TRANSACTION"}))
    token = reader.peek()
    if token.kind in (STRING, "number", VARIABLE) or token.word == "?":
        reader.advance()
        return
    if token.kind == NAME and reader.peek(1).word == "(" and reader.peek(2).word == ")":
        closing = reader.position + 3
        end, reader.end = reader.end, closing
        read_expression(reader, names, frozenset())
        reader.end = end
        return
    reader.fail("not understood")


def _alias(reader: Reader, stops: frozenset[str]) -> str | None:
    token = reader.peek()
    if reader.accept("AS"):
        token = reader.peek()
        if token.kind not in (NAME, QUOTED):
            reader.fail("expected a name")
    elif (
        token.kind == NAME and (token.word in RESERVED or token.word in stops or token.word in _NOT_ALIASES)
    ) or token.kind not in (NAME, QUOTED):
        return None
    reader.advance()
    if reader.word == "(":
        reader.parenthesized_names()
    return identifier(token)


# not reserved by either server, and yet never the name of a table in the place where one could follow
_NOT_ALIASES = frozenset({"WINDOW", "EXCEPT", "INTERSECT", "OFFSET", "RETURNING", "LATERAL", "MINUS"})


def _index_hints(reader: Reader) -> None:
    """USE | FORCE | IGNORE  INDEX | KEY  [FOR JOIN | ORDER BY | GROUP BY] (names), …"""
    first = reader.position
    while reader.word in _HINT_WORDS and reader.peek(1).word in ("INDEX", "KEY"):
        reader.position += 2
        if reader.accept("FOR") and not (
            reader.accept("JOIN") or reader.accept("ORDER", "BY") or reader.accept("GROUP", "BY")
        ):
            reader.fail("not understood")
        reader.expect("(")
        while not reader.accept(")"):
            reader.advance()
        if reader.word == "," and reader.peek(1).word in _HINT_WORDS and reader.peek(2).word in ("INDEX", "KEY"):
            reader.advance()
    reader.substitute(first)
