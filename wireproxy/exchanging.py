"""What goes to the server in the place of a client's pseudonyms.

What the client wrote is what is judged, held, shown and recorded; what is sent follows from it by the gateway's key alone, so an
approval of the one is bound to the other. A value that cannot be translated, where comparing it as it is would be wrong, refuses
the statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import evolve, frozen

from protocols.base import Exchange, Question, Stage
from rules.classify.postgres.text import decode, encode
from rules.masking import MaskSet, ResultMasks
from rules.masking.bound import real_parameters, sent_types, texts_of
from rules.masking.exchange import LiteralSite, ParameterSite, replacement_of
from rules.masking.literals import Constant, Positions, Replacement, replaced
from rules.masking.mysql.mask_set import MySqlMaskSet
from rules.masking.pseudonyms import RECOGNIZED, NoPseudonym, token_in
from rules.model import Decision, Deny, Hold, Namespace
from rules.policy import worst
from wireproxy.mysql.exchanging import mysql_exchange
from wireproxy.side import Parameters

_RULE: Final = "pseudonym"
_HINT: Final = "Compare the column with a plain constant or a parameter of its own type."
WRITTEN: Final = "would be written into a table: read the value it stands for from there"


@frozen
class Sites:
    """Where in one text pseudonyms may stand, the names that it refers to included."""

    literals: tuple[LiteralSite, ...] = ()
    parameters: Mapping[int, ParameterSite] = {}
    written: frozenset[int] = frozenset()  # parameters that go into columns
    mends: bool = False  # what the server says of it may speak of another text

    def __bool__(self) -> bool:
        return bool(self.literals or self.parameters or self.written or self.mends)


NOWHERE: Final = Sites()


def sites_of(masks: Iterable[ResultMasks | None]) -> Sites:
    """Of the statements of one text."""
    literals: list[LiteralSite] = []
    parameters: dict[int, ParameterSite] = {}
    written: frozenset[int] = frozenset()
    for mask in masks:
        if mask is not None and mask.exchange:
            literals.extend(mask.exchange.literals)
            parameters.update(mask.exchange.parameters)
            written |= mask.exchange.written
    return Sites(tuple(literals), parameters, written, bool(literals or parameters))


def executed(
    sites: Sites, outer: ResultMasks | None, inner: ResultMasks | None, masks: MaskSet
) -> tuple[Sites, Decision | None]:
    """The arguments of SQL's EXECUTE, which become the parameters of what was prepared. And what is said against them."""
    if inner is None or not inner.exchange:
        return sites, None
    arguments = outer.exchange.arguments if outer is not None else ()
    found = list(sites.literals)
    against: list[Decision] = []
    for number, argument in enumerate(arguments, 1):
        site = inner.exchange.parameters.get(number)
        if site is not None:
            problem = _argument(argument, site, found)
            if problem is not None:
                against.append(Deny(_RULE, (problem,), _HINT))
        if number in inner.exchange.written and argument is not None:
            why = masks.masked_text(argument.value)
            if why is not None:
                against.append(Hold("mask", (f"{why} {WRITTEN}",)))
    sites = evolve(sites, literals=tuple(found), mends=sites.mends or inner.exchange.translates)
    return sites, worst(against) if against else None


def _argument(argument: Constant | None, site: ParameterSite, found: list[LiteralSite]) -> str | None:
    """Adds the place of an argument that is translated; the problem with one that cannot be."""
    if argument is None or site.elsewhere:
        if site.type_oid not in RECOGNIZED or (argument is not None and token_in(argument.value)):
            return "an argument of EXECUTE that is compared with a pseudonymised column cannot be translated"
        return None
    if argument.kind == "number" and site.type_oid in RECOGNIZED:
        return None
    found.append(LiteralSite(argument, site.element, site.array))
    return None


def against_values(
    question: Question, written: frozenset[int], masks: MaskSet, namespace: Namespace
) -> Decision | None:
    """Bound values that are masks and would be stored."""
    if question.parameters is None:
        return None
    for number in sorted(written):
        value = question.parameters[number - 1] if number <= len(question.parameters) else None
        if value is None:
            continue
        for text in texts_of(value, question.formats[number - 1] == 1, namespace):
            why = masks.masked_text(text)
            if why is not None:
                return Hold("mask", (f"{why}, bound as ${number}, {WRITTEN}",))
    return None


def exchange(question: Question, sites: Sites, masks: MaskSet, read: Namespace, now: Namespace) -> Exchange | None:
    """What is sent for the question; None: its very bytes. Raises NoPseudonym.

    `read`: in which the server read the text, `now`: in which it reads values.
    """
    if not sites.mends:
        return None
    if isinstance(masks, MySqlMaskSet):
        return mysql_exchange(question, sites, masks.pseudonyms, read, now)
    replacements = list(_replacements(sites.literals, masks, read))
    mend = masks.mender(Positions(replacements))
    match question.stage:
        case Stage.QUERY:
            return Exchange(sent_text(question.text or b"", replacements, read), mend=mend)
        case Stage.PARSE:
            types = sent_types(sites.parameters, question.types) if sites.parameters else None
            return Exchange(sent_text(question.text or b"", replacements, read), types, mend=mend)
        case Stage.BIND if sites.parameters:
            if question.parameters is None:
                raise NoPseudonym("its values are longer than bind_bytes, so that they cannot be translated")
            values = real_parameters(
                sites.parameters, question.parameters, question.formats, question.types, masks.pseudonyms, now
            )
            return Exchange(parameters=values, mend=mend)
        case _:
            return Exchange(mend=mend)


def refused(error: NoPseudonym) -> Decision:
    return Deny(_RULE, (str(error),), _HINT)


def _replacements(literals: Iterable[LiteralSite], masks: MaskSet, namespace: Namespace) -> Iterable[Replacement]:
    for site in literals:
        found = replacement_of(site, masks.pseudonyms, namespace)
        if found is not None:
            yield found


def sent_text(text: bytes, replacements: list[Replacement], namespace: Namespace) -> bytes | None:
    """None: the client's own. Raises NoPseudonym."""
    if not replacements:
        return None
    decoded = decode(text, namespace)
    found = None if decoded is None else encode(replaced(decoded, replacements), namespace)
    if found is None:
        raise NoPseudonym("what a pseudonym stands for cannot be written in this session's encoding")
    return found


def in_one_piece(
    text: bytes, parameters: Parameters, sites: Sites, masks: MaskSet, namespace: Namespace
) -> tuple[str, Parameters]:
    """A statement with its values as a side connection runs it. Raises NoPseudonym."""
    sent = sent_text(text, list(_replacements(sites.literals, masks, namespace)), namespace)
    decoded = decode(text if sent is None else sent, namespace)
    if decoded is None:
        raise NoPseudonym("the text is in no encoding that is known")
    types = sent_types(sites.parameters, parameters.types)
    values = real_parameters(
        sites.parameters, parameters.values, parameters.formats, parameters.types, masks.pseudonyms, namespace
    )
    return decoded, Parameters(values, parameters.formats, types)
