"""Which constants of a statement of MySQL are translated before it goes out: pseudonyms that a masked column is compared with.

A text that is no token of this key stands for itself. Of numbers, dates, times and UUIDs every value is the pseudonym of
some value, so a constant that cannot be translated there is held. The parser says where a constant stands, and the text must have
it there.

The servers name a column of a result by the text of its expression. So nothing is translated inside of one that has no alias.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from rules.classify.mysql.lexer import NUMBER, STRING, Token, string_value
from rules.classify.mysql.statements import lexing_of
from rules.masking import moments
from rules.masking.exchange import NOTHING, Exchange, LiteralSite, ParameterSite
from rules.masking.literals import Constant, Replacement, replaced
from rules.masking.mysql.domains import BY_DOMAIN, NO_DOMAIN, NUMBERS, TEXT, real
from rules.masking.mysql.follow import VARIABLES, Follow
from rules.masking.mysql.reading import Node, Read, nodes
from rules.masking.mysql.standing import Quoted, Standing, lifted
from rules.masking.pseudonyms import NoPseudonym, Pseudonyms, token_in
from rules.model import Effect

_PLAIN: Final = re.compile(r"[ -&(-\[\]-~]*")  # printable ASCII without quote and backslash
_WHOLE: Final = re.compile(r"[0-9]+")
_DECIMAL: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_WRITES: Final = frozenset({"Insert", "Replace", "Update", "Delete"})
TRANSLATED: Final = frozenset({"Select", "Do", "Set", "Call", *_WRITES})
_NOWHERE: Final = "a pseudonymised column is compared with a constant in a definition"
ECHOES: Final = (
    "a pseudonym in a write or beside a stored function: a trigger or routine may keep the text that it stands for"
)


def exchanged(follow: Follow, standing: Standing) -> Exchange:
    """What is translated of a statement, in the places of the client's text. Findings go to `follow`."""
    found = standing.read
    parameters = _parameters(follow, standing)
    try:
        lexing = lexing_of(follow.namespace)
        sites = tuple(sorted(_sites(follow, found), key=lambda site: site.constant.start))
        if sites and found.statement.root not in TRANSLATED:
            raise NoPseudonym(f"{_NOWHERE}: the definition would keep what the pseudonym stands for")
        sites = lifted(sites, standing, lexing.backslash)
    except NoPseudonym as error:
        follow.find("pseudonym", "hold", str(error))
        return Exchange(parameters=parameters) if parameters else NOTHING
    if (sites or any(site.type_oid != TEXT for site in parameters.values())) and may_echo(follow, standing):
        follow.find("pseudonym", "hold", ECHOES)
    return Exchange(sites, parameters) if sites or parameters else NOTHING


def may_echo(follow: Follow, standing: Standing) -> bool:
    """A trigger or a stored function may run, and read the text of the statement from the server's list of processes."""
    statement = standing.read.statement
    explained = standing.around is not None and standing.around.read.statement.root == "Explain"
    return (
        (statement.root in _WRITES and not explained)
        or Effect.UNKNOWN in statement.effects  # a view whose text is not shown
        or any(  # what views call is among them
            each.schema is not None or not follow.knows(each.name.upper()) for each in statement.functions
        )
    )


def _parameters(follow: Follow, standing: Standing) -> dict[int, ParameterSite]:
    """By number, from 1."""
    sites: dict[int, ParameterSite] = {}
    numbers = standing.bound
    for mark, compared in follow.bound.items():
        if compared <= {None}:
            continue
        if mark not in numbers:
            if not standing.prepared:
                follow.find("pseudonym", "hold", VARIABLES)
            continue
        domain = next(each for each in compared if each is not None)
        sites[numbers[mark] + 1] = ParameterSite(domain, elsewhere=len(compared) > 1 or domain == NO_DOMAIN)
    return sites


def _sites(follow: Follow, found: Read) -> Iterator[LiteralSite]:
    """Raises NoPseudonym."""
    every = [each for each in follow.compared.values() if not each.domains <= {None}]
    if not every:
        return
    if any(each.domains != {TEXT} for each in every):
        follow.literal = True  # another text of this shape has other numbers, dates, times or UUIDs
    named = {id(node) for parsed in found.trees if not parsed.bare for node in _unnamed(parsed.tree)}
    constants = _Constants(follow, found)
    for each in every:
        text = str(each.node.this)
        token = each.node.is_string and token_in(text)
        if each.domains <= {None, TEXT} and not token:
            continue  # it stands for itself
        if len(each.domains) > 1 or NO_DOMAIN in each.domains:
            raise NoPseudonym(
                "one constant is compared with pseudonymised columns of several types, or with others too"
            )
        if id(each.node) in named:
            raise NoPseudonym("a pseudonym stands in a column without an alias, which the server names by its text")
        (domain,) = each.domains
        assert domain is not None
        yield LiteralSite(constants.of(each.node, domain), domain)


class _Constants:
    """Where the constants of a statement stand in its text."""

    def __init__(self, follow: Follow, found: Read) -> None:
        self._lexing = lexing_of(follow.namespace)
        self._tokens = found.tokens
        self._starts = {token.start: place for place, token in enumerate(found.tokens)}
        self._shifts = {
            id(node): parsed.shift
            for parsed in found.trees
            for node in nodes(parsed.tree)
            if isinstance(node, exp.Literal)
        }

    def of(self, node: exp.Literal, domain: int) -> Constant:
        """Raises NoPseudonym where it does not stand there plainly."""
        shift, start = self._shifts.get(id(node)), node.meta.get("start")
        place = None if shift is None or start is None else self._starts.get(int(start) + shift)
        if place is not None:
            token, value = self._tokens[place], str(node.this)
            if node.is_string and self._is_plain(token, value):
                return Constant(token.start, token.end, "string", value)
            if not node.is_string and domain in NUMBERS and token.kind == NUMBER and token.text == value:
                return self._signed(place, isinstance(node.parent, exp.Neg), domain)
        raise NoPseudonym("a pseudonymised column is compared with a constant that is not written plainly")

    def _is_plain(self, token: Token, value: str) -> bool:
        return token.kind == STRING and token.text[1:-1] == value == string_value(token, self._lexing)

    def _signed(self, place: int, negative: bool, domain: int) -> Constant:
        token = self._tokens[place]
        if not (_WHOLE if domain in BY_DOMAIN else _DECIMAL).fullmatch(token.text):
            raise NoPseudonym("a pseudonymised column is compared with another number than its own are")
        if not negative:
            return Constant(token.start, token.end, "number", token.text)
        sign = self._tokens[place - 1]
        if place == 0 or sign.text != "-":
            raise NoPseudonym("a pseudonymised column is compared with a number whose sign stands elsewhere")
        return Constant(sign.start, token.end, "number", f"-{token.text}")


def _unnamed(tree: Node) -> Iterator[Node]:
    """Every constant inside a column of a result that has no alias."""
    for node in nodes(tree):
        shown = list(node.expressions) if isinstance(node, exp.Select | exp.Returning | exp.Values) else []
        for each in shown:
            if not isinstance(each, exp.Alias):
                yield from (inner for inner in nodes(each) if isinstance(inner, exp.Literal))


def replacement(site: LiteralSite, pseudonyms: Pseudonyms) -> Replacement | None:
    """The constant as what it stands for, in a form that every sql_mode and charset reads alike; None: it is itself.

    Raises NoPseudonym.
    """
    constant = site.constant
    if isinstance(site, Quoted):
        return _requoted(site, pseudonyms)
    value = real(pseudonyms, constant.value, site.type_oid)
    if value == constant.value:
        return None
    if site.type_oid in NUMBERS:  # in parentheses, or a sign would make another operator of what is in front of it
        return Replacement(constant.start, constant.end, f"({value})")
    if (
        site.type_oid == moments.TIME and "." in value
    ):  # MySQL rounds a string that is compared with a TIME, and so finds others too
        return Replacement(constant.start, constant.end, f" TIME'{value}'")
    new = f"'{value}'" if _PLAIN.fullmatch(value) else f"_utf8mb4 x'{value.encode().hex()}'"
    return Replacement(constant.start, constant.end, new)


def _requoted(site: Quoted, pseudonyms: Pseudonyms) -> Replacement | None:
    """A string that holds a statement, with what stands for it inside."""
    changes = [found for each in site.inside if (found := replacement(each, pseudonyms)) is not None]
    if not changes:
        return None
    text = replaced(site.constant.value, changes).replace("'", "''")
    if site.backslash:
        text = text.replace("\\", "\\\\")
    return Replacement(site.constant.start, site.constant.end, f"'{text}'")
