"""Into which columns of MySQL a statement writes masked values, if people let it run: those inherit the mask.

A view needs none, since it is followed through its definition; nor does a temporary table, which its session alone sees and
which shows nothing any more once something like this was let through (`Namespace.holds_masked`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.classify.mysql.lexer import NAME, QUOTED, Token, identifier
from rules.masking.inheriting import Move, move
from rules.masking.mysql.follow import Follow
from rules.masking.mysql.names import same
from rules.masking.mysql.reading import Read
from rules.masking.values import Columns, NamedValue, Value
from rules.model import Access

Table = tuple[str | None, str]


def assigned(follow: Follow, target: Table | None, held: Value, name: str | None, value: Value) -> Iterator[Move]:
    """`held`: what the column that takes the value shows; its origin is the stored column, through a view as well."""
    stored = [each for each in held.origins if each.schema != "?"]
    for origin in sorted(stored, key=str):
        yield move(origin.schema, origin.relation, origin.column, value)
    if not stored and target is not None:
        for relation in follow.candidates(*target):
            yield move(relation.schema, relation.name, name, value)


def created(follow: Follow, read: Read, columns: Columns) -> Iterator[Move]:
    """CREATE TABLE … SELECT. A column that the server names by the expression's text has no name here: all may be it."""
    new = next((each for each in read.statement.relations if each.access is Access.DDL), None)
    if read.statement.root != "CreateTable" or "TEMPORARY" in read.words or new is None:
        return
    schema = new.schema or follow.namespace.database
    every: list[NamedValue] = [*columns.named, *([] if columns.rest is None else [(None, columns.rest)])]
    for name, value in every:
        if value.masked:
            yield move(schema, new.name, name, value)


def redefined(follow: Follow, read: Read) -> Iterator[Move]:
    """RENAME TABLE, and what ALTER TABLE does to names: the masked columns under the names that they will have."""
    if read.statement.root == "RenameTable":
        yield from _tables_renamed(follow, read.tokens)
    elif read.statement.root == "AlterTable":
        yield from _altered(follow, read)


def _tables_renamed(follow: Follow, tokens: tuple[Token, ...]) -> Iterator[Move]:
    """One after the other: what stands under a name may have come there by an earlier one of the same statement."""
    standing: dict[Table, list[NamedValue]] = {}
    for at, token in enumerate(tokens):
        if token.word != "TO":
            continue
        old, new = _path_before(follow, tokens, at), _path(follow, tokens, at + 1)
        if old is None or new is None:
            continue
        found = standing.pop(_key(old), None)
        held = _held(follow, old) if found is None else found
        standing[_key(new)] = held
        yield from _placed(new, held)


def _altered(follow: Follow, read: Read) -> Iterator[Move]:
    """ALTER TABLE t RENAME [TO] u · RENAME COLUMN a TO b · CHANGE [COLUMN] a b … · EXCHANGE PARTITION p WITH TABLE u ·
    CONVERT PARTITION p TO TABLE u · CONVERT TABLE u TO PARTITION p …
    """
    tokens = read.tokens
    first = next((each for each in read.statement.relations if each.access is Access.DDL), None)
    if first is None:
        return
    table = (first.schema or follow.namespace.database, first.name)
    held = _held(follow, table)
    renamed: list[NamedValue] = []
    arrives = table
    for at, token in enumerate(tokens):
        if token.word == "EXCHANGE":
            for each in read.statement.relations[1:]:
                other = (each.schema or follow.namespace.database, each.name)
                yield from _placed(other, held)
                yield from _placed(table, _held(follow, other))
        elif token.word == "CONVERT" and tokens[at + 1].word == "PARTITION" and tokens[at + 4].word == "TABLE":
            if (new := _path(follow, tokens, at + 5)) is not None:
                yield from _placed(new, held)
        elif token.word == "CONVERT" and tokens[at + 1].word == "TABLE":
            if (old := _path(follow, tokens, at + 2)) is not None:
                yield from _placed(table, _held(follow, old))
        elif token.word == "RENAME" and tokens[at + 1].word == "COLUMN":
            renamed += _column(held, tokens, at + 2, 2)
        elif token.word == "CHANGE":
            renamed += _column(held, tokens, at + 1 + (tokens[at + 1].word == "COLUMN"), 1)
        elif token.word == "RENAME" and tokens[at + 1].word not in ("INDEX", "KEY", "CONSTRAINT"):
            begin = at + 1
            while tokens[begin].word in ("TO", "AS", "="):
                begin += 1
            arrives = _path(follow, tokens, begin) or table
    if arrives != table:
        yield from _placed(arrives, [*held, *renamed])
    elif renamed:
        yield from _placed(table, renamed)


def _column(held: list[NamedValue], tokens: tuple[Token, ...], at: int, apart: int) -> Iterator[NamedValue]:
    """What is held under the first name, under the second. `apart`: of their tokens."""
    while at < len(tokens) and tokens[at].word in ("IF", "EXISTS"):
        at += 1
    if at + apart >= len(tokens):
        return
    old, new = identifier(tokens[at]), identifier(tokens[at + apart])
    yield from ((new, value) for name, value in held if name is None or same(name, old))


def _held(follow: Follow, table: Table) -> list[NamedValue]:
    """The masked columns of a stored table."""
    found = follow.candidates(*table)
    return [pair for each in found for pair in follow.world.columns(each).named if pair[1].masked]


def _placed(table: Table, held: list[NamedValue]) -> Iterator[Move]:
    return (move(*table, name, value) for name, value in held)


def _key(table: Table) -> Table:
    return (None if table[0] is None else table[0].casefold(), table[1].casefold())


def _path(follow: Follow, tokens: tuple[Token, ...], at: int) -> Table | None:
    if at >= len(tokens) or tokens[at].kind not in (NAME, QUOTED):
        return None
    first = identifier(tokens[at])
    if at + 2 < len(tokens) and tokens[at + 1].word == ".":
        return first, identifier(tokens[at + 2])
    return follow.namespace.database, first


def _path_before(follow: Follow, tokens: tuple[Token, ...], at: int) -> Table | None:
    """The path that ends before `at`: behind it may stand WAIT n or NOWAIT."""
    end = at - 1
    if end > 1 and tokens[end - 1].word == "WAIT":
        end -= 2
    elif tokens[end].word == "NOWAIT":
        end -= 1
    begin = end - 2 if end > 1 and tokens[end - 1].word == "." else end
    return _path(follow, tokens, begin)
