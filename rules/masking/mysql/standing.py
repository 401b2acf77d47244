"""A statement that runs, and where it stands in what the client sent: by itself, behind EXPLAIN or SET STATEMENT, or in a string.

What is found in it has the places of its own text. `lifted` gives those of the client's text, in which alone something is replaced:
of a statement in a string the whole string, since it is quoted once more.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from attrs import evolve, frozen

from rules.catalog import Catalog
from rules.classify.mysql.lexer import STRING, Token, string_value
from rules.classify.mysql.statements import lexing_of
from rules.masking.exchange import LiteralSite
from rules.masking.literals import Constant
from rules.masking.mysql.domains import TEXT
from rules.masking.mysql.reading import Read, read
from rules.masking.pseudonyms import NoPseudonym
from rules.masking.values import Unsure
from rules.model import Namespace

_IN_A_STRING: Final = frozenset({"Prepare", "ExecuteImmediate"})
CARRIERS: Final = _IN_A_STRING | {"Explain", "ExplainAnalyze", "SetStatement"}


@frozen
class Quoted(LiteralSite):
    """A string of the client's text that holds a statement, and the places in its value."""

    inside: tuple[LiteralSite, ...] = ()
    backslash: bool = True  # escapes in strings


@frozen
class Standing:
    read: Read
    around: Standing | None = None
    base: int | None = 0  # from its places to those of the text around it; None where they are not known
    string: Token | None = None  # of the text around it, where that holds it as a value
    text: str = ""  # the value of that

    @property
    def prepared(self) -> bool:
        """Whether SQL prepares it: it runs, and gets its values, another time."""
        return self.around is not None and (self.around.read.statement.root == "Prepare" or self.around.prepared)

    @property
    def bound(self) -> dict[str, int]:
        """Its parameters, from 0, by their places; empty for those that SQL gives from variables."""
        if self.string is not None or self.base is None:
            return {}
        marks = [token.start for token in self.read.tokens if token.word == "?"]
        first = 0
        if self.around is not None:
            outer = self.around.bound
            if len(outer) < len(marks):
                return {}
            first = len(outer) - len(marks)
        return {str(place): first + number for number, place in enumerate(marks)}


def carried(standing: Standing, namespace: Namespace, catalog: Catalog) -> Standing:
    """The statement inside of this one. Raises Unsure where there is not exactly one that is understood."""
    outer = standing.read
    inner = outer.statement.inner
    if inner is None:
        raise Unsure("a statement without the one inside of it")
    string, text = None, inner.text
    if outer.statement.root in _IN_A_STRING:
        string = _string(outer)
        text = string_value(string, lexing_of(namespace))
    found = read(text, evolve(namespace, database=outer.database), catalog)
    if len(found) != 1 or found[0].statement.opaque is not None:
        raise Unsure("a statement inside of one")
    return Standing(found[0], standing, 0 if string is not None else _base(outer, found[0]), string, text)


def _string(outer: Read) -> Token:
    for before, token in pairwise(outer.tokens):
        if before.word in ("FROM", "IMMEDIATE") and token.kind == STRING:
            return token
    raise Unsure("a text that is not in the statement")


def _base(outer: Read, inner: Read) -> int | None:
    """Where the tokens of the one end those of the other."""
    tail = outer.tokens[-len(inner.tokens) :] if inner.tokens else ()
    if len(tail) != len(inner.tokens) or not tail:
        return None
    base = tail[0].start - inner.tokens[0].start
    same = all(
        one.text == two.text and one.start == two.start + base for one, two in zip(tail, inner.tokens, strict=True)
    )
    return base if same else None


def lifted(sites: tuple[LiteralSite, ...], standing: Standing, backslash: bool) -> tuple[LiteralSite, ...]:
    """In the client's own text. Raises NoPseudonym where their places in it are not known."""
    if not sites or standing.around is None:
        return sites
    if standing.base is None:
        raise NoPseudonym("a pseudonym stands in a statement inside of one, whose place in the text is not known")
    if standing.string is None:
        base = standing.base
        outside = tuple(evolve(site, constant=_moved(site.constant, base)) for site in sites)
    else:
        whole = Constant(standing.string.start, standing.string.end, "string", standing.text)
        outside = (Quoted(whole, TEXT, inside=sites, backslash=backslash),)
    return lifted(outside, standing.around, backslash)


def _moved(constant: Constant, base: int) -> Constant:
    return evolve(constant, start=constant.start + base, end=constant.end + base)
