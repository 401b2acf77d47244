"""The trees that the classifier compared with its own reading, and the tokens they were made of.

A tree is only followed where the classifier understood the statement. In front of it stands one more fence: a masked column
that is named in the text must be named in the trees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import frozen
from sqlglot import exp

from rules.catalog import Catalog
from rules.classify.mysql.lexer import NAME, QUOTED, Token, identifier
from rules.classify.mysql.reading import Parsed, Reader
from rules.classify.mysql.statements import classify_text
from rules.masking.mysql.names import folded
from rules.model import Namespace, Statement

_WHOLE = frozenset({"Select", "Insert", "Replace", "Update", "Delete", "Do"})
_QUERY = frozenset({"SELECT", "WITH", "VALUES"})
Node = Any  # a node of sqlglot, or a list of them, or a plain value


@frozen
class Read:
    """One statement as the classifier read it."""

    statement: Statement
    trees: tuple[Parsed, ...]
    tokens: tuple[Token, ...]
    substituted: tuple[tuple[int, int], ...]  # spans that the trees do not show as they are
    database: str | None  # the current one, where the statement stands

    @property
    def words(self) -> frozenset[str]:
        return frozenset(token.word for token in self.tokens)


def read(text: str, namespace: Namespace, catalog: Catalog) -> tuple[Read, ...]:
    """Raises what a bug of the classifier raises."""
    found: list[Read] = []

    def witness(statement: Statement, reader: Reader) -> None:
        found.append(
            Read(
                statement,
                tuple(reader.trees),
                reader.tokens[reader.first : reader.end],
                tuple((each.start, each.end) for each in reader.substitutions),
                reader.draft.database,
            )
        )

    classify_text(text, namespace, catalog, witness=witness)
    return tuple(found)


def nodes(tree: Node) -> Iterator[exp.Expr]:
    """Every node below `tree`, itself included."""
    waiting: list[Node] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | tuple):
            waiting.extend(node)
        elif isinstance(node, exp.Expr):
            yield node
            waiting.extend(node.args.values())


def names_missing(found: Read, names: frozenset[str]) -> bool:
    """Whether a name of `names` is written more often than the trees have it."""
    written: Counter[str] = Counter()
    for token in _parsed_tokens(found):
        if token.kind not in (NAME, QUOTED) or _inside(token, found.substituted):
            continue
        if (name := folded(identifier(token))) in names:
            written[name] += 1
    if not written:
        return False
    seen: Counter[str] = Counter()
    for parsed in found.trees:
        for node in nodes(parsed.tree):
            if isinstance(node, exp.Identifier) and (name := folded(node.name)) in names:
                seen[name] += 1
    return any(seen[name] < times for name, times in written.items())


def names_written(found: Read) -> frozenset[str]:
    """Every name in the text of a statement, in one case."""
    return frozenset(identifier(token).casefold() for token in found.tokens if token.kind in (NAME, QUOTED))


def _parsed_tokens(found: Read) -> tuple[Token, ...]:
    """Those of a definition or a command that are no query name columns where no tree is made of them."""
    if not found.trees:
        return ()
    if found.statement.root in _WHOLE:
        return found.tokens
    first = next((at for at, token in enumerate(found.tokens) if token.word in _QUERY), len(found.tokens))
    return found.tokens[first:]


def _inside(token: Token, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= token.start and token.end <= end for start, end in spans)
