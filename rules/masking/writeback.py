"""Masks on their way back: a value that a client read masked and now writes, in the belief that it is the real one.

Stars, shortened values, hashes and pseudonyms look like data to a program that copies rows. Written into a table they are a loss
that nobody notices, so a write whose constant has the form of a mask is held. This guards against accidents: who wants to write
three stars can split them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import define, field
from pglast import ast

from rules.masking.pseudonyms import token_in
from rules.masking.trees import Node, isa
from rules.masking.values import Mark

_HASH = re.compile(r"[0-9a-f]{16}")
_EMAIL = re.compile(r"[^@\s]\*\*\*@[^@\s]+")


@define
class MaskForms:
    """What values look like that the maskers of one identity make."""

    _constants: frozenset[str] = field(init=False, factory=frozenset)
    _kept: frozenset[int] = field(init=False, factory=frozenset)  # how many first characters `first-n` leaves
    hashes: bool = field(init=False, default=False)
    _hint: re.Pattern[bytes] = field(init=False, default=re.compile(rb"(?!)"))

    def knows(self, marks: Iterable[Mark]) -> None:
        marks = list(marks)
        self._constants = frozenset(mark.argument for mark in marks if mark.masker == "constant" and mark.argument)
        self._kept = frozenset(int(mark.argument or 0) for mark in marks if mark.masker == "first-n")
        self.hashes = any(mark.masker == "hash" for mark in marks)
        hints = [
            rb"\*\*\*",
            rb"wpx?_",
            rb"\$[0-9]",
            *(re.escape(each.replace("'", "''").encode()) for each in sorted(self._constants)),
        ]
        self._hint = re.compile(b"|".join([*hints, rb"'[0-9a-f]{16}'"] if self.hashes else hints))

    @property
    def constants(self) -> frozenset[str]:
        """Those that mask columns whole."""
        return self._constants

    def hinted(self, statement: bytes) -> bool:
        """Whether a text may have a mask among its constants, or has parameters, which what was found speaks of.

        What is found in it holds for no other text of its shape then, and what was found in others not for it.
        """
        return self._hint.search(statement) is not None

    def why(self, text: str, hashed: bool) -> str | None:
        """What the text looks like; None: like no mask. `hashed`: it goes into a table with hashed columns."""
        if "***" in text:
            stars = text == "***" or text == '"***"' or (text.startswith("***") and len(text) == 7)
            if stars or _EMAIL.fullmatch(text) or (text.endswith("***") and len(text) - 3 in self._kept):
                return "a masked value"
        if text in self._constants:
            return "the constant that masks a column"
        if hashed and _HASH.fullmatch(text):
            return "a hash of the gateway's form"
        if token_in(text):
            return "a pseudonym"
        return None


def written(nodes: Iterable[Node]) -> tuple[list[str], frozenset[int]]:
    """The text constants and the parameters that the writes among these nodes put into columns."""
    texts: list[str] = []
    parameters: set[int] = set()
    for node in values(nodes):
        if isa(node, ast.A_Const) and isa(node.val, ast.String):
            texts.append(node.val.sval)
        elif isa(node, ast.ParamRef):
            parameters.add(node.number)
    return texts, frozenset(parameters)


def values(nodes: Iterable[Node]) -> Iterator[Node]:
    """Every node of what is stored, without the conditions and sources beside it."""
    waiting: list[Node] = []
    for node in nodes:
        if isa(node, ast.InsertStmt):
            waiting.append(rows(node.selectStmt))
            if node.onConflictClause is not None:
                waiting.append(node.onConflictClause.targetList)
        elif isa(node, ast.UpdateStmt):
            waiting.append(node.targetList)
        elif isa(node, ast.MergeWhenClause):
            waiting += [node.values, node.targetList]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list | tuple):
            waiting.extend(found)
        elif isa(found, ast.Node) and not isa(found, ast.SelectStmt):
            yield found
            waiting.extend(getattr(found, attribute) for attribute in found)


def rows(select: Node) -> list[Node]:
    """VALUES and select lists of an INSERT's source, of every arm of a set operation."""
    if not isa(select, ast.SelectStmt):
        return []
    return [select.valuesLists, select.targetList, *rows(select.larg), *rows(select.rarg)]
