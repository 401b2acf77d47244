"""Columns that no relation of a SELECT has: a misspelt name, which the server answers with an error before it reads a row.

Nothing that could make the name a column may be left: what the catalog may not show, an alias, a column that a literal named.
What such a statement shows, should it have one after all by the time that the server reads it, is masked as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from rules.classify.mysql.draft import SYSTEM_SCHEMAS
from rules.classify.mysql.lexer import NAME, QUOTED, identifier
from rules.masking.mysql.names import folded, is_word
from rules.masking.mysql.reading import Read, nodes

if TYPE_CHECKING:
    from rules.masking.mysql.follow import Follow

# columns that no catalog lists: of tables with a key of one number, with versions, with a key that the server made; of VALUES
_HIDDEN = re.compile(r"_rowid|row_start|row_end|my_row_id|rownum|nextval|currval|lastval|level|column_\d+|.*\$.*|\d.*")


def surely_absent(follow: Follow, read: Read, name: str) -> bool:
    """Whether the statement cannot have a column of that name."""
    wanted = folded(name)
    if not is_word(name) or _HIDDEN.match(wanted) or wanted in follow.world.marks.names:
        return False
    if read.statement.root != "Select" or read.substituted or follow.unknown:
        return False
    return _only_as_column(read, wanted) and all(
        _lacks(follow, relation.schema, relation.name, wanted) for relation in read.statement.relations
    )


def _only_as_column(read: Read, wanted: str) -> bool:
    """A column of a derived table can have its name from an alias, a literal or a function."""
    exact = sum(token.kind in (NAME, QUOTED) and folded(identifier(token)) == wanted for token in read.tokens)
    other = any(token.kind not in (NAME, QUOTED) and wanted in token.text.lower() for token in read.tokens)
    named = sum(
        isinstance(node, exp.Column) and folded(node.name) == wanted
        for parsed in read.trees
        for node in nodes(parsed.tree)
    )
    return 0 < exact == named and not other


def _lacks(follow: Follow, schema: str | None, name: str, wanted: str) -> bool:
    if any(name.casefold() == other.casefold() for other in follow.namespace.temporary):
        return False
    found = follow.candidates(schema, name)
    if len(found) != 1 or not found[0].columns or folded(found[0].schema) in SYSTEM_SCHEMAS:
        return False
    return all(folded(column.name) != wanted for column in found[0].columns)
