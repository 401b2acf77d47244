"""Reading INSERT, REPLACE, UPDATE and DELETE: what they write to, what they read, and whether a WHERE restrains them.

Spec: MySQL 8.4 manual §15.2.2 DELETE, §15.2.7 INSERT, §15.2.12 REPLACE, §15.2.17 UPDATE.
"""

from __future__ import annotations

from rules.classify.mysql.expressions import Names, read_expression
from rules.classify.mysql.lexer import NAME, NUMBER, QUOTED, STRING
from rules.classify.mysql.queries import Source, read_query, read_query_body, read_tables, read_with
from rules.classify.mysql.reading import Reader
from rules.model import Access, Effect, Kind

_NONE: Names = frozenset()
_MODIFIERS = {
    "INSERT": frozenset({"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE"}),
    "REPLACE": frozenset({"LOW_PRIORITY", "DELAYED"}),
    "UPDATE": frozenset({"LOW_PRIORITY", "IGNORE"}),
    "DELETE": frozenset({"LOW_PRIORITY", "QUICK", "IGNORE"}),
}
_BEHIND_ROWS = frozenset({"ON", "RETURNING", "AS"})
_BEHIND_WHERE = frozenset({"ORDER", "LIMIT", "RETURNING"})
_BEHIND_WITH = frozenset({"UPDATE", "DELETE"})
_CONSTANTS = frozenset({"NULL", "DEFAULT", "TRUE", "FALSE", "?"})


def read_statement(reader: Reader) -> tuple[Kind, str]:
    """A query or a change of rows, with or without WITH. Leaves nothing unread."""
    names = read_with(reader, _NONE)
    if reader.word in (_READERS if not names else _BEHIND_WITH):
        found = _change(reader, names)
    else:
        reader.draft.returns_rows = True
        read_query_body(reader, names)
        found = Kind.SELECT, "Select"
    reader.finished()
    return found


def _change(reader: Reader, names: Names) -> tuple[Kind, str]:
    word = reader.advance().word
    _blank_modifiers(reader, _MODIFIERS[word])
    return _READERS[word](reader, names)


def _blank_modifiers(reader: Reader, words: frozenset[str]) -> None:
    first = reader.position
    while reader.accept_any(words):
        pass
    reader.substitute(first)


# -- INSERT and REPLACE -----------------------------------------------------------------------------------------------


def _insert(reader: Reader, names: Names, root: str = "Insert") -> tuple[Kind, str]:
    reader.accept("INTO")
    _target(reader, Access.WRITE)
    if reader.accept("PARTITION"):
        reader.parenthesized_names()
    if reader.word == "(" and not _query_follows(reader):
        _columns(reader)
    match reader.word:
        case "VALUES" | "VALUE":
            _rows(reader, names)
        case "SET":
            reader.advance()
            read_expression(reader, names, _BEHIND_ROWS)
        case _:
            read_query(reader, names)
    if reader.accept("AS"):
        reader.name()
        if reader.word == "(":
            reader.parenthesized_names()
    if reader.accept("ON", "DUPLICATE", "KEY", "UPDATE"):
        reader.draft.effects.add(Effect.READ)  # what is written may be made of the row that was there
        read_expression(reader, names, frozenset({"RETURNING"}))
    _returning(reader, names)
    return Kind.INSERT, root


def _replace(reader: Reader, names: Names) -> tuple[Kind, str]:
    """REPLACE deletes the rows whose keys it meets; to a policy it is an insert, since it has no WHERE to look at."""
    return _insert(reader, names, "Replace")


def _query_follows(reader: Reader) -> bool:
    ahead = 0
    while reader.peek(ahead).word == "(":
        ahead += 1
    return reader.peek(ahead).word in ("SELECT", "WITH", "TABLE", "VALUES")


def _columns(reader: Reader) -> None:
    """( column, … ), each perhaps with its table in front."""
    reader.expect("(")
    while not reader.accept(")"):
        token = reader.advance()
        if token.kind not in (NAME, QUOTED) and token.word not in (",", "."):
            reader.fail("expected a column")


def _rows(reader: Reader, names: Names) -> None:
    """VALUES (…), (…), … The parser sees the first row, and every row in which there is more than constants."""
    reader.advance()
    rows = 0
    while True:
        first = reader.position
        reader.accept("ROW")
        if not rows or not _constant_row(reader):
            reader.expect("(")
            read_expression(reader, names, frozenset())
            reader.expect(")")
        else:
            reader.substitute(first - 1)  # with the comma in front of it
        rows += 1
        if not reader.accept(","):
            return


def _constant_row(reader: Reader) -> bool:
    """Takes `( constant, … )` and nothing else."""
    if reader.word != "(":
        return False
    tokens, end = reader.tokens, reader.end
    at = reader.position + 1
    while at < end:
        token = tokens[at]
        if token.word in ("-", "+"):
            at += 1
            token = tokens[at] if at < end else token
        if token.kind not in (STRING, NUMBER) and token.word not in _CONSTANTS:
            return False
        at += 1
        after = tokens[at].word if at < end else ""
        at += 1
        if after == ")":
            reader.position = at
            return True
        if after != ",":
            return False
    return False


def _target(reader: Reader, access: Access) -> None:
    schema, name = reader.path()
    reader.named.add((schema, name))
    reader.draft.relation(schema, name, access)


def _returning(reader: Reader, names: Names) -> None:
    if reader.accept("RETURNING"):
        reader.draft.returns_rows = True
        reader.draft.effects.add(Effect.READ)
        read_expression(reader, names, frozenset())


# -- UPDATE -------------------------------------------------------------------------------------------------------------


def _update(reader: Reader, names: Names) -> tuple[Kind, str]:
    sources = read_tables(reader, names, frozenset({"SET"}))
    reader.expect("SET")
    first = reader.position
    read_expression(reader, names, frozenset({"WHERE", "ORDER", "LIMIT", "RETURNING"}))
    _written(reader, sources, _assigned(reader, first))
    _restraints(reader, names)
    return Kind.UPDATE, "Update"


def _assigned(reader: Reader, first: int) -> set[str | None]:
    """What stands before the column names that are assigned to: a table, an alias, or None where nothing does."""
    qualifiers: set[str | None] = set()
    depth = 0
    at = first
    begin = True
    while at < reader.position:
        token = reader.tokens[at]
        if begin:
            qualifiers.add(_qualifier(reader, at))
            begin = False
        depth += (token.word == "(") - (token.word == ")")
        begin = depth == 0 and token.word == ","
        at += 1
    return qualifiers


def _qualifier(reader: Reader, at: int) -> str | None:
    parts: list[str] = []
    while at < reader.position:
        token = reader.tokens[at]
        if token.kind not in (NAME, QUOTED):
            break
        parts.append(token.text if token.kind == NAME else token.text[1:-1].replace("``", "`"))
        at += 1
        if at >= reader.position or reader.tokens[at].word != ".":
            break
        at += 1
    return parts[-2] if len(parts) > 1 else None


def _written(reader: Reader, sources: list[Source], qualifiers: set[str | None]) -> None:
    """Marks the tables that are assigned to. A column without a table in front may be any table's."""
    known = {source.alias or source.name for source in sources}
    everything = not qualifiers <= known
    for source in sources:
        if _has_name(source) and (everything or (source.alias or source.name) in qualifiers):
            reader.draft.written(source.schema, source.name)
    reader.draft.effects.add(Effect.WRITE)


def _has_name(source: Source) -> bool:
    """A common table expression cannot be written to; a table of its name can, if the server takes it for that."""
    return bool(source.name) and not (source.derived and source.name in ("dual", "json_table"))


def _restraints(reader: Reader, names: Names) -> None:
    reader.draft.has_where = False
    reader.draft.effects.add(Effect.READ)
    if reader.accept("WHERE"):
        reader.draft.has_where = True
        read_expression(reader, names, _BEHIND_WHERE)
    if reader.accept("ORDER"):
        reader.expect("BY")
        read_expression(reader, names, frozenset({"LIMIT", "RETURNING"}))
    if reader.accept("LIMIT"):
        read_expression(reader, names, frozenset({"RETURNING"}))
    _returning(reader, names)


# -- DELETE -------------------------------------------------------------------------------------------------------------


def _delete(reader: Reader, names: Names) -> tuple[Kind, str]:
    if not reader.accept("FROM"):
        targets = _targets(reader)
        reader.expect("FROM")
        _delete_from(reader, names, targets, read_tables(reader, names, frozenset({"WHERE"}) | _BEHIND_WHERE))
        return Kind.DELETE, "Delete"
    start, substituted, named = reader.position, len(reader.substitutions), set(reader.named)
    if (targets := _maybe_targets(reader)) and reader.accept("USING"):
        _delete_from(reader, names, targets, read_tables(reader, names, frozenset({"WHERE"}) | _BEHIND_WHERE))
        return Kind.DELETE, "Delete"
    reader.position, reader.named = start, named
    del reader.substitutions[substituted:]
    sources = read_tables(reader, names, frozenset({"WHERE"}) | _BEHIND_WHERE)
    if len(sources) != 1:
        reader.fail("not understood")
    _delete_from(reader, names, [(sources[0].schema, sources[0].alias or sources[0].name)], sources)
    return Kind.DELETE, "Delete"


def _targets(reader: Reader) -> list[tuple[str | None, str]]:
    """table[.*], … where each may be an alias."""
    found = []
    while True:
        target = reader.path() if not _star_follows(reader) else (None, reader.name())
        if reader.begins(".", "*"):
            first = reader.position
            reader.position += 2
            reader.substitute(first)
        found.append(target)
        reader.named.add(target)
        if not reader.accept(","):
            return found


def _maybe_targets(reader: Reader) -> list[tuple[str | None, str]]:
    return _targets(reader) if reader.at_name() else []


def _star_follows(reader: Reader) -> bool:
    return reader.peek(1).word == "." and reader.peek(2).word == "*"


def _delete_from(reader: Reader, names: Names, targets: list[tuple[str | None, str]], sources: list[Source]) -> None:
    """A target is one of the tables, by its alias if it has one; what cannot be told apart is all written to."""
    for schema, target in targets:
        hit = [s for s in sources if (s.alias or s.name) == target and (schema is None or schema == s.schema)]
        for source in hit or sources:
            if _has_name(source):
                reader.draft.written(source.schema, source.name)
        if not hit:
            reader.draft.relation(schema, target, Access.WRITE)
    reader.draft.effects.add(Effect.WRITE)
    _restraints(reader, names)


_READERS = {"INSERT": _insert, "REPLACE": _replace, "UPDATE": _update, "DELETE": _delete}
