"""Where the constants of a statement stand in its text, and a text with some of them replaced.

pglast's nodes do not say where a constant stands; the parser's JSON does. Both are made from one tree, so they are walked side by
side, and where they differ nothing is said of what is below: whoever needs a position then has none, and fails closed.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from attrs import frozen
from pglast import ast, parser

from rules.masking.trees import Node, isa
from rules.model import Namespace

NUMBERS = frozenset({"ICONST", "FCONST"})
_DIGITS = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
COMMENTS = frozenset({"C_COMMENT", "SQL_COMMENT"})


@frozen
class Constant:
    """A constant of the text that can be replaced: [start, end) in characters."""

    start: int
    end: int
    kind: Literal["string", "number"]
    value: str  # of a string its content, of a number its digits and its point


@frozen
class Replacement:
    start: int
    end: int
    new: str


class Constants:
    """The constants of one text, by the node that stands for each."""

    def __init__(self, text: str, trees: Sequence[Node]) -> None:
        """`trees`: the statements of the text, as pglast parsed them."""
        self._text = text
        self._at: dict[int, int] = {}
        parsed: Any = json.loads(parser.parse_sql_json(text))
        for tree, found in zip(trees, parsed["stmts"], strict=True):
            self._walk(tree, found.get("stmt"))
        tokens = [token for token in parser.scan(text) if token.name not in COMMENTS]
        self._tokens = tokens
        self._starts = {token.start: place for place, token in enumerate(tokens)}
        self._ascii = text.isascii()
        self._bytes = b"" if self._ascii else text.encode()

    def of(self, node: Node) -> Constant | None:
        """None: it does not stand in the text in a form that is certain."""
        at = self._at.get(id(node))
        value = getattr(node, "val", None)
        if at is None or value is None:
            return None
        at = at if self._ascii else len(self._bytes[:at].decode("utf-8", "replace"))
        place = self._starts.get(at)
        if place is None:
            return None
        token = self._tokens[place]
        if isa(value, ast.String):
            source = self._text[token.start : token.end + 1]
            # anything but '…' with doubled quotes (E'…', U&'…', $$…$$, several pieces) is left alone
            national = place > 0 and self._tokens[place - 1].name == "NCHAR"
            if national or token.name != "SCONST" or source[:1] != "'" or source[1:-1].replace("''", "'") != value.sval:
                return None
            return Constant(token.start, token.end + 1, "string", value.sval)
        if isa(value, ast.Integer | ast.Float):
            last = self._tokens[place + 1] if token.name == "ASCII_45" and place + 1 < len(self._tokens) else token
            digits = self._text[last.start : last.end + 1]
            if last.name not in NUMBERS or not _DIGITS.fullmatch(digits):
                return None
            return Constant(token.start, last.end + 1, "number", digits if last is token else "-" + digits)
        return None

    def _walk(self, tree: Node, found: Any) -> None:
        waiting: list[tuple[Node, Any]] = [(tree, found)]
        while waiting:
            node, made = waiting.pop()
            if isinstance(node, list | tuple):
                if isinstance(made, dict) and len(made) == 1 and "List" in made:
                    made = made["List"].get("items", [])
                if isinstance(made, list) and len(made) == len(node):
                    waiting.extend(zip(node, made, strict=True))
            elif isa(node, ast.RawStmt):
                waiting.append((node.stmt, made))
            elif isa(node, ast.Node) and isinstance(made, dict):
                made = made.get(type(node).__name__, made)
                if isa(node, ast.A_Const):
                    location = made.get("location", 0)
                    if location >= 0:
                        self._at[id(node)] = location
                    continue
                for attribute in node:
                    part = getattr(node, attribute)
                    if isa(part, ast.Node | list | tuple) and attribute in made:
                        waiting.append((part, made[attribute]))


def written(constant: Constant, value: str, namespace: Namespace) -> Replacement | None:
    """The constant as another value of its kind; None when the session would not be sure to read it so."""
    if "\0" in value:
        return None
    if not namespace.lexing_known and ("\\" in value or not value.isascii()):
        return None
    if constant.kind == "number":
        # in parentheses: `x=-5` and `x--5` would be read as other operators
        return Replacement(constant.start, constant.end, f"({value})")
    quoted = value.replace("'", "''")
    if "\\" in value:
        escaped = quoted.replace("\\", "\\\\")
        return Replacement(constant.start, constant.end, f" E'{escaped}'")  # the same under either setting
    return Replacement(constant.start, constant.end, f"'{quoted}'")


def replaced(text: str, replacements: Iterable[Replacement]) -> str:
    parts, at = [], 0
    for each in sorted(replacements, key=lambda found: found.start):
        if each.start < at:
            raise ValueError("replacements that overlap")
        parts += [text[at : each.start], each.new]
        at = each.end
    return "".join([*parts, text[at:]])


class Positions:
    """From a position in the text that was sent to the one in the client's own. In characters, from 1."""

    def __init__(self, replacements: Iterable[Replacement]) -> None:
        self._sent: list[int] = []  # where each replacement begins in the text that was sent, from 0
        self._lengths: list[int] = []
        self._own: list[tuple[int, int]] = []
        grown = 0
        for each in sorted(replacements, key=lambda found: found.start):
            self._sent.append(each.start + grown)
            self._lengths.append(len(each.new))
            self._own.append((each.start, each.end))
            grown += len(each.new) - (each.end - each.start)

    def own(self, position: int) -> int:
        place = bisect_right(self._sent, position - 1) - 1
        if place < 0:
            return position
        inside = position - 1 - self._sent[place]
        start, end = self._own[place]
        if inside < self._lengths[place]:
            return start + 1
        return end + 1 + inside - self._lengths[place]
