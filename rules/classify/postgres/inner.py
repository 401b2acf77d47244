"""Where the statement inside another one stands in the text: PREPARE, DECLARE, EXPLAIN, COPY (query).

The tree does not say. The tokens do, and whether they were read well is proved: the text that was cut out must parse to the
very tree that the outer statement holds.
"""

from __future__ import annotations

from pglast import parser
from pglast.error import Error

from rules.classify.postgres.tree import SPACE, Node, Parsed, Unreadable, parse, same

_OPEN, _CLOSE = "ASCII_40", "ASCII_41"


def inner_statement(outer: Parsed, wrapped: Node) -> Parsed | None:
    """The statement inside `outer`; None: its text could not be found."""
    try:
        found = parser.scan(outer.text)
    except (Error, UnicodeError):
        return None
    tokens = [(token.name, token.start, token.end) for token in found if not token.name.endswith("_COMMENT")]
    span = _span(outer, tokens, len(outer.text))
    if span is None:
        return None
    text = outer.text[span[0] : span[1]].strip(SPACE)
    try:
        statements = parse(text)
    except Unreadable:
        return None
    if len(statements) != 1:
        return None
    (statement,) = statements
    return statement if same({statement.tag: statement.node}, wrapped) else None


def _span(outer: Parsed, tokens: list[tuple[str, int, int]], length: int) -> tuple[int, int] | None:
    match outer.tag:
        case "PrepareStmt":
            start = _after(tokens, "AS", 2)
        case "DeclareCursorStmt":
            start = _after(tokens, "FOR", 2)
        case "ExplainStmt":
            start = _explained(outer, tokens)
        case "CopyStmt":
            return _parenthesis(tokens)
        case _:
            return None
    return None if start is None else (start, length)


def _after(tokens: list[tuple[str, int, int]], word: str, first: int) -> int | None:
    depth = 0
    for name, _, end in tokens[first:]:
        depth += (name == _OPEN) - (name == _CLOSE)
        if name == word and depth == 0:
            return end + 1
    return None


def _explained(outer: Parsed, tokens: list[tuple[str, int, int]]) -> int | None:
    index = 1
    if len(tokens) > 1 and tokens[1][0] == _OPEN:
        if outer.node.get("options"):
            depth = 0
            for index in range(1, len(tokens)):
                depth += (tokens[index][0] == _OPEN) - (tokens[index][0] == _CLOSE)
                if depth == 0:
                    break
            index += 1
    else:
        while index < len(tokens) and tokens[index][0] in ("ANALYZE", "ANALYSE", "VERBOSE"):
            index += 1
    return tokens[index][1] if index < len(tokens) else None


def _parenthesis(tokens: list[tuple[str, int, int]]) -> tuple[int, int] | None:
    depth, start = 0, None
    for name, begin, end in tokens:
        if name == _OPEN:
            if depth == 0 and start is None:
                start = end + 1
            depth += 1
        elif name == _CLOSE:
            depth -= 1
            if depth == 0 and start is not None:
                return start, begin
    return None
