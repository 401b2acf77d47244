"""What of a statement is translated before it goes to the server: pseudonyms that a masked column is compared with.

Following a statement notes each pair of a pseudonymised column and a constant that it is compared with for equality. Here the
constants become replacements in the client's text, and the parameters sites whose values are translated when they are bound.
The client's own text is what is judged, shown and recorded; what is sent is a function of it and of the key.

A text that is no pseudonym stands for itself, as under any other masker. Of numbers, dates, times and UUIDs every value is the
pseudonym of some value, so a constant that cannot be translated there must not be compared as it is: it is held, or refused when
it is bound.
A parameter that stands anywhere else as well is not translated, or the other place would show the real value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import field, frozen
from pglast import ast

from rules.masking.arrays import array_elements, array_text
from rules.masking.formats import NUMERIC
from rules.masking.literals import Constant, Constants, Replacement, written
from rules.masking.pseudonyms import (
    ARRAYS,
    ELEMENTS,
    INTEGER_BITS,
    KEEPS,
    RECOGNIZED,
    TEXTS,
    NoPseudonym,
    Pseudonyms,
    token_in,
)
from rules.masking.trees import Node, isa
from rules.masking.values import Value
from rules.model import Namespace

# Types that hold every value of the column's: a cast to another one would cut the real value or fail for some, and so tell of it.
# A length would cut it as well, and a domain or a user's type may run code on it.
_CASTS = {
    **dict.fromkeys(TEXTS, frozenset({"text", "varchar"})),
    1042: frozenset({"text", "varchar", "bpchar"}),
    19: frozenset({"text", "varchar", "name"}),
    21: frozenset({"int2", "int4", "int8"}),
    23: frozenset({"int4", "int8"}),
    20: frozenset({"int8"}),
    26: frozenset({"oid", "int8"}),
    2950: frozenset({"uuid"}),
    1082: frozenset({"date"}),
    1700: frozenset({"numeric"}),
    1114: frozenset({"timestamp"}),
    1184: frozenset({"timestamptz"}),
    1083: frozenset({"time"}),
}
# The type that a parameter gets: the column's own, so that what it stands for is always one of its values.
_SENT = {1043: 25}
# What a client may declare in its place.
_DECLARED = {
    **dict.fromkeys(TEXTS, frozenset({0, 25, 1043, 1042, 19, 705})),
    **dict.fromkeys(INTEGER_BITS, frozenset({0, 20, 21, 23, 26, 705})),
    **{each: frozenset({0, each, 705}) for each in (2950, 1082, 1114, 1184, 1083)},
    1700: frozenset({0, 1700, 20, 21, 23, 701, 705}),
}


@frozen
class Compared:
    """A pseudonymised column, or its elements, beside what it is compared with. `many`: = ANY, so the constant may be an array."""

    type_oid: int  # 0: not known
    node: Node
    many: bool = False


@frozen
class ParameterSite:
    """A parameter that pseudonymised columns are compared with."""

    type_oid: int  # of the column, or of the elements that are compared
    many: bool = False
    elsewhere: bool = (
        False  # its value may be seen or stored in other places, or is compared with columns of several types
    )

    @property
    def element(self) -> int:
        """The type of what is translated one by one."""
        return ELEMENTS.get(self.type_oid, self.type_oid)

    @property
    def array(self) -> bool:
        return self.many or self.type_oid in ELEMENTS

    @property
    def sent_type(self) -> int:
        """The type of the parameter on the server."""
        scalar = _SENT.get(self.type_oid, self.type_oid)
        return ARRAYS[scalar] if self.many else scalar

    def takes(self, declared: int) -> bool:
        """Whether a client may declare the parameter so, and still mean a value of the column's type."""
        known = _DECLARED[self.element]
        return declared in known if not self.array else declared in {0, 705, *(ARRAYS.get(each) for each in known)}


@frozen
class LiteralSite:
    """A constant of the text that a pseudonymised column is compared with."""

    constant: Constant
    type_oid: int
    many: bool = False


@frozen
class Exchange:
    """Where in one statement something else is sent than what the client wrote. What is sent, the key says."""

    literals: tuple[LiteralSite, ...] = ()
    parameters: Mapping[int, ParameterSite] = field(factory=dict)
    written: frozenset[int] = frozenset()  # parameters that are written into columns
    arguments: tuple[Constant | None, ...] = field(
        default=(), repr=False
    )  # of EXECUTE; None: something else than a constant

    def __bool__(self) -> bool:
        return bool(self.literals or self.parameters or self.written or self.arguments)

    @property
    def translates(self) -> bool:
        return bool(self.literals or self.parameters)


NOTHING = Exchange()


def pseudonymised(value: Value) -> int | None:
    """The type of a plain column under `pseudonym`, 0 where it is not known. None: it is none, or of a type that is redacted."""
    marks = {origin.mark for origin in value.origins if origin.mark is not None}
    if not value.plain or len(marks) != 1:
        return None
    (mark,) = marks
    if mark is None or mark.masker != "pseudonym":
        return None
    return value.type_oid if value.type_oid in KEEPS or not value.type_oid else None


class Translation:
    """Of one statement: from what was noted while following it to its `Exchange`."""

    def __init__(self, constants: Constants) -> None:
        self._constants = constants
        self._literals: dict[int, LiteralSite] = {}
        self._seen: dict[int, tuple[int, bool]] = {}
        self._parameters: dict[int, ParameterSite] = {}
        self._placed: set[int] = set()  # nodes of parameters that are compared
        self._by_name = False  # a constant of a subquery, or of VALUES, is compared by its name

    def of(self, compared: Iterable[Compared], statement: Iterator[Node]) -> Exchange:
        """`statement`: every node of it. Raises NoPseudonym."""
        every = list(statement)
        for pair in compared:
            self._pair(pair)
        if self._by_name and any(
            isa(node, ast.A_Const) and id(node) not in self._seen and holds_token(node) for node in every
        ):
            raise NoPseudonym(
                "a pseudonymised column is compared with a pseudonym that stands elsewhere in the statement"
            )
        return Exchange(tuple(self._literals.values()), self._checked(every))

    def _checked(self, statement: Iterable[Node]) -> dict[int, ParameterSite]:
        """The parameters, marked where they stand in other places too. That one is NULL may be asked: it stays so."""
        if not self._parameters:
            return {}
        elsewhere: set[int] = set()
        asked: set[int] = set()
        found: list[tuple[int, int]] = []
        for node in statement:
            if isa(node, ast.NullTest):
                asked.add(id(uncast(node.arg)))
            elif isa(node, ast.ParamRef):
                found.append((id(node), node.number))
            elif isa(node, ast.PrepareStmt):
                self._declared(node.argtypes or ())
        elsewhere.update(number for place, number in found if place not in self._placed and place not in asked)
        return {
            number: ParameterSite(site.type_oid, site.many, site.elsewhere or number in elsewhere)
            for number, site in self._parameters.items()
        }

    def _declared(self, types: Iterable[Node]) -> None:
        """Of SQL's PREPARE: the server turns each argument into a value of its type, before anything is compared with it."""
        for number, named in enumerate(types, 1):
            site = self._parameters.get(number)
            if site is not None and not _holds_all(named, site.element, site.array):
                raise NoPseudonym(
                    "a parameter that stands for a pseudonym is declared of another type than the column's"
                )

    def _pair(self, pair: Compared) -> None:
        if not pair.type_oid:
            raise NoPseudonym("a pseudonymised column of several types is compared with a constant")
        if pair.many and pair.type_oid in ELEMENTS:
            raise NoPseudonym("a pseudonymised array is compared with the elements of an array")
        self._constant(pair.node, pair.type_oid, pair.many)

    def _constant(self, node: Node, type_oid: int, many: bool) -> None:
        element, array = ELEMENTS.get(type_oid, type_oid), many or type_oid in ELEMENTS
        inner = self._within_casts(node, element, array)
        if isa(inner, ast.A_Const):
            self._literal(inner, element, array)
        elif isa(inner, ast.ParamRef):
            self._parameter(inner, type_oid, many)
        elif isa(inner, ast.A_ArrayExpr) and array:
            self._elements(inner.elements or (), element)
        elif type_oid not in RECOGNIZED or holds_token(node):
            raise NoPseudonym("a pseudonymised column is compared with something else than a plain constant")
        else:
            self._by_name = self._by_name or isa(inner, ast.ColumnRef)

    def _elements(self, elements: Sequence[Node], type_oid: int) -> None:
        """Of ARRAY[…]. Its type is what they have in common: one of another type would have the others turned into its own."""
        inner = [self._within_casts(each, type_oid, False) for each in elements]
        if type_oid not in TEXTS or holds_token(elements):
            constants = [each for each in inner if isa(each, ast.A_Const)]
            bare = [isa(each.val, ast.String) for each in elements if isa(each, ast.A_Const) and not each.isnull]
            if constants and (len(constants) < len(inner) or len(set(bare)) > 1):
                raise NoPseudonym("a pseudonym stands in an array beside something of another kind")
        for each in elements:
            self._constant(each, type_oid, False)

    def _within_casts(self, node: Node, type_oid: int, many: bool) -> Node:
        """The constant inside casts that keep its value; the cast itself where one does not."""
        while isa(node, ast.TypeCast):
            if not _holds_all(node.typeName, type_oid, many):
                return node
            node = node.arg
        return node

    def _literal(self, node: Node, type_oid: int, many: bool) -> None:
        if node.isnull:
            return
        if self._seen.setdefault(id(node), (type_oid, many)) != (type_oid, many):
            raise NoPseudonym("one constant is compared with pseudonymised columns of several types")
        if type_oid in TEXTS and not isa(node.val, ast.String):
            return  # no text: the server will say so
        if type_oid in TEXTS and not token_in(node.val.sval):
            return  # it stands for itself
        constant = self._constants.of(node)
        if constant is None:
            raise NoPseudonym("a pseudonymised column is compared with a constant that is not written plainly")
        whole = type_oid in INTEGER_BITS
        if constant.kind == "number" and (not (whole or type_oid == NUMERIC) or (whole and "." in constant.value)):
            raise NoPseudonym("a pseudonymised column is compared with a number of another type")
        self._literals[constant.start] = LiteralSite(constant, type_oid, many)

    def _parameter(self, node: Node, type_oid: int, many: bool) -> None:
        self._placed.add(id(node))
        known = self._parameters.get(node.number)
        site = ParameterSite(type_oid, many)
        if known is not None and known.sent_type != site.sent_type:
            site = ParameterSite(type_oid, many, elsewhere=True)
        elif known is not None:
            site = known
        self._parameters[node.number] = site


def _holds_all(named: Node, type_oid: int, many: bool) -> bool:
    """Whether every value of a column, or every array of them, is one of the type named."""
    own = len(named.names) == 1 or named.names[0].sval == "pg_catalog"
    return own and named.names[-1].sval in _CASTS[type_oid] and not named.typmods and bool(named.arrayBounds) == many


def uncast(node: Node) -> Node:
    while isa(node, ast.TypeCast):
        node = node.arg
    return node


def holds_token(node: Node) -> bool:
    """Whether a pseudonym stands in an expression that is not translated: compared as it is, it would find nothing."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list | tuple):
            waiting.extend(each)
        elif isa(each, ast.A_Const):
            if isa(each.val, ast.String) and token_in(each.val.sval):
                return True
        elif isa(each, ast.Node):
            waiting.extend(getattr(each, attribute) for attribute in each)
    return False


def replacement_of(site: LiteralSite, pseudonyms: Pseudonyms, namespace: Namespace) -> Replacement | None:
    """The constant as what it stands for; None where that is itself. Raises NoPseudonym."""
    constant = site.constant
    value = real_text(constant.value, site.type_oid, site.many, pseudonyms)
    if value == constant.value:
        return None
    replacement = written(constant, value, namespace)
    if replacement is None:
        raise NoPseudonym("what a pseudonym stands for cannot be written in this session's encoding")
    return replacement


def real_text(value: str, type_oid: int, many: bool, pseudonyms: Pseudonyms) -> str:
    """A value in its text form as what it stands for. Raises NoPseudonym."""
    if not many:
        return pseudonyms.real(value, type_oid)
    elements = array_elements(value)
    if elements is None:
        if type_oid in TEXTS and not token_in(value):
            return value
        raise NoPseudonym("an array of pseudonyms has one dimension and no bounds")
    real = [None if each is None else pseudonyms.real(each, type_oid) for each in elements]
    return value if real == elements else array_text(real)
