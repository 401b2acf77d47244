"""Which constants of a statement of MySQL are translated before it goes out: pseudonyms that a masked text is compared with.

Only texts are: a token is recognized as one that this key made, and any other text stands for itself. What the parser gives has no
places, so a pseudonym is found by its value: each time that it stands in the statement it must be compared with a pseudonymised
column, or it is not translated at all, since what stands in a select list is shown.

The servers name a column of a result by the text of its expression. So nothing is translated inside of one that has no alias.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from sqlglot import exp

from rules.classify.mysql.lexer import STRING, Token, string_value
from rules.classify.mysql.statements import lexing_of
from rules.masking.exchange import NOTHING, Exchange, LiteralSite, ParameterSite
from rules.masking.literals import Constant, Replacement
from rules.masking.mysql.follow import Follow
from rules.masking.mysql.reading import Node, Read, nodes
from rules.masking.pseudonyms import NoPseudonym, Pseudonyms, token_in

TEXT_OID: Final = 25  # tokens are those of PostgreSQL's texts
_PLAIN: Final = re.compile(r"[ -&(-\[\]-~]*")  # printable ASCII without quote and backslash
_WRITES: Final = frozenset({"Insert", "Replace", "Update", "Delete"})


def exchanged(follow: Follow, found: Read) -> Exchange:
    """Findings go to `follow`."""
    literals = {id(node): node for node, sure in follow.compared.values() if sure and token_in(str(node.this))}
    parameters = _parameters(follow, found)
    if not literals and not parameters:
        return NOTHING
    try:
        sites = _sites(follow, found, literals)
    except NoPseudonym as error:
        follow.find("pseudonym", "hold", str(error))
        return Exchange(parameters=parameters) if parameters else NOTHING
    if sites and _may_echo(follow, found):
        what = "a pseudonym in a write or beside a stored function"
        follow.find("pseudonym", "hold", f"{what}: a trigger or routine may keep the text that it stands for")
    return Exchange(tuple(sites), parameters)


def _may_echo(follow: Follow, found: Read) -> bool:
    """A trigger or a stored function may run, and read the text of the statement from the server's list of processes."""
    statement = found.statement
    return statement.root in _WRITES or any(
        each.schema is not None or not follow.knows(each.name.upper()) for each in statement.functions
    )


def _parameters(follow: Follow, found: Read) -> dict[int, ParameterSite]:
    """By number, from 1."""
    marks = [str(token.start) for token in found.tokens if token.word == "?"]
    return {number: ParameterSite(TEXT_OID) for number, mark in enumerate(marks, 1) if follow.bound.get(mark, False)}


def _sites(follow: Follow, found: Read, literals: dict[int, Node]) -> list[LiteralSite]:
    """Raises NoPseudonym."""
    lexing = lexing_of(follow.namespace)
    compared = Counter(str(node.this) for node in literals.values())
    if not compared:
        return []
    named = {id(node) for parsed in found.trees for node in _unnamed(parsed.tree)}
    if named & literals.keys():
        raise NoPseudonym("a pseudonym stands in a column without an alias, which the server names by its text")
    standing: dict[str, list[Token]] = {}
    for token in found.tokens:
        if token.kind == STRING and (value := string_value(token, lexing)) in compared:
            standing.setdefault(value, []).append(token)
    sites: list[LiteralSite] = []
    for value, times in compared.items():
        tokens = standing.get(value, [])
        if len(tokens) != times:
            raise NoPseudonym(
                "a pseudonym stands in other places of the statement as well, where it would be shown or stored"
            )
        for token in tokens:
            if token.text[:1] not in "'\"" or token.text[1:-1] != value:
                raise NoPseudonym("a pseudonym is not written plainly")
            sites.append(LiteralSite(Constant(token.start, token.end, "string", value), TEXT_OID))
    return sorted(sites, key=lambda site: site.constant.start)


def _unnamed(tree: Node) -> list[Node]:
    """Every constant inside a column of a result that has no alias."""
    found: list[Node] = []
    for node in nodes(tree):
        shown = list(node.expressions) if isinstance(node, exp.Select | exp.Returning | exp.Values) else []
        for each in shown:
            if not isinstance(each, exp.Alias):
                found += [inner for inner in nodes(each) if isinstance(inner, exp.Literal)]
    return found


def replacement(site: LiteralSite, pseudonyms: Pseudonyms) -> Replacement | None:
    """The constant as what it stands for, in a form that every sql_mode and charset reads alike; None: it is itself.

    Raises NoPseudonym.
    """
    constant = site.constant
    value = pseudonyms.real(constant.value, TEXT_OID)
    if value == constant.value:
        return None
    new = f"'{value}'" if _PLAIN.fullmatch(value) else f"_utf8mb4 x'{value.encode().hex()}'"
    return Replacement(constant.start, constant.end, new)
