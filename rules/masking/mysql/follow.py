"""The state of following one statement of MySQL, and what stored relations reveal, followed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

from attrs import define, field
from sqlglot import exp

from rules.catalog import Catalog, CatalogFunction, CatalogRelation
from rules.classify.mysql.draft import SYSTEM_SCHEMAS
from rules.functions.mysql import native
from rules.masking import moments
from rules.masking.follow import listed
from rules.masking.formats import DATE
from rules.masking.inheriting import Move
from rules.masking.mysql.domains import NO_DOMAIN, domain_of
from rules.masking.mysql.domains import TEXT as TEXT_DOMAIN
from rules.masking.mysql.marks import MySqlMarks
from rules.masking.mysql.names import folded
from rules.masking.mysql.reading import Node, Read, names_missing, names_written, nodes, read
from rules.masking.mysql.routines import Body, Routines, words_of
from rules.masking.mysql.scope import Scope, Source
from rules.masking.pseudonyms import token_in
from rules.masking.values import CLEAN, Columns, FindingKind, MaskFinding, NamedValue, Origin, Unsure, Value, union
from rules.model import Namespace
from rules.policy import Policy

QueryFollower = Callable[["Follow", Node, Scope], Columns]
ValueFollower = Callable[["Follow", Node, Scope], Value]
FromFollower = Callable[["Follow", Node, Scope], Source]

# What a stored column holds, as far as comparing asks: a text that is compared with a number is converted first, and then its
# leading digits are asked about alone.
TEXT, NUMBER, TIME, OTHER = 1, 2, 3, 4
VARIABLES: Final = (
    "a pseudonym in a variable is not translated: write it where the column is compared with it, or bind it to a statement of the"
    " protocol"
)
_KINDS = {
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), TEXT),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), TEXT),
    **dict.fromkeys(("enum", "set", "json", "uuid", "inet4", "inet6"), TEXT),
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "integer", "bigint", "decimal", "numeric"), NUMBER),
    **dict.fromkeys(("float", "double", "real", "bit", "year"), NUMBER),
    **dict.fromkeys(("date", "datetime", "timestamp", "time"), TIME),
}


def constant_in(node: Node, domain: int | None) -> Node:
    """The literal or parameter itself, without parentheses, a number's sign, or the DATE in front of a date."""
    while isinstance(node, exp.Paren):
        node = node.this
    inner = getattr(node, "this", None)
    if not isinstance(inner, exp.Literal):
        return node
    if isinstance(node, exp.Neg) and not inner.is_string:
        return inner
    return inner if isinstance(node, exp.Cast) and _keeps(node, str(inner.this), domain) else node


def _keeps(cast: exp.Cast, text: str, domain: int | None) -> bool:
    """Whether a cast leaves the constant as it is. One to TIME or DATETIME rounds, and TIME '…' looks like one."""
    into = cast.args["to"]
    if domain in (None, DATE) and into.this == exp.DType.DATE:
        return True
    if domain in (None, moments.TIMESTAMP) and into.this == exp.DType.TIMESTAMPTZ:  # TIMESTAMP '…'
        return True
    return domain in (None, _ROUNDING.get(into.this)) and into.this in _ROUNDING and "." not in text


def holds_token(node: Node) -> bool:
    """Whether something of a pseudonym's form stands in an expression, which finds nothing where it is compared as it is."""
    return any(
        isinstance(each, exp.Literal | exp.National | exp.HexString) and token_in(_text_of(each))
        for each in nodes(node)
    )


def _text_of(node: exp.Expr) -> str:
    if not isinstance(node, exp.HexString):
        return str(node.this)
    try:
        return bytes.fromhex(str(node.this)).decode("latin-1")
    except ValueError:
        return ""


_ROUNDING: Final = {exp.DType.TIME: moments.TIME, exp.DType.DATETIME: moments.TIMESTAMP}


def kind_of(type_name: str) -> int:
    return _KINDS.get(type_name.lower().removesuffix(" unsigned"), OTHER)


@define
class Compared:
    """A constant, and the columns that it is compared with for equality, by what `MySqlWorld.pseudonymised` says of each."""

    node: Node
    domains: set[int | None] = field(factory=set)


@define
class Follow:
    """One statement on its way through its tree. Findings gather here."""

    world: MySqlWorld
    namespace: Namespace
    predicates: Literal["allow", "equality", "hold", "deny"] = "equality"
    findings: dict[MaskFinding, None] = field(factory=dict)  # in order, each once
    unknown: set[str] = field(factory=set)  # names of relations that the catalog does not have
    read: set[Origin] = field(factory=set)  # masked columns that were named anywhere, shown or not
    reading: Read | None = None  # the statement, where a column that does not exist is the server's to say
    absent: set[str] = field(factory=set)  # names of such columns
    literal: bool = False  # what was found may be otherwise where another constant stands
    moves: list[Move] = field(factory=list)  # masked values that it writes into other columns
    brought: set[Origin] = field(factory=set)  # masked columns whose values it puts into others
    told: set[str] = field(factory=set)  # where parameters stand that a masked text is compared with
    noting: bool = False  # the statement runs as it is written here: pseudonyms in it are translated
    compared: dict[int, Compared] = field(factory=dict)
    bound: dict[str, set[int | None]] = field(factory=dict)  # of parameters, by their places
    _queries: dict[tuple[int, int, int], tuple[Columns, Scope]] = field(factory=dict)

    def find(self, kind: FindingKind, action: Literal["hold", "deny"], reason: str) -> None:
        self.findings[MaskFinding(kind, action, reason)] = None

    def oracle(self, value: Value, what: str) -> None:
        """`what` happens in an order or a number that depends on the value."""
        if self.predicates == "allow" or not (masked := value.masked):
            return
        action: Literal["hold", "deny"] = "deny" if self.predicates == "deny" else "hold"
        self.find("predicate", action, f"{what} would reveal {listed(masked)}")

    def asks(self, routine: str) -> None:
        if self.predicates != "allow":
            action: Literal["hold", "deny"] = "deny" if self.predicates == "deny" else "hold"
            self.find("predicate", action, f"{routine} asks about masked columns on the caller's terms")

    def laundered(self, value: Value, into: str, moves: Iterable[Move] = (), though: str | None = None) -> None:
        """A masked value is written where no mask may cover it. `moves`: into which columns, if people let it run.

        `though`: what is held there and how, where that is no unmasked column.
        """
        if value.masked:
            self.moves.extend(moves)
            self.find("laundering", "hold", f"{into} would hold {though or f'{listed(value.masked)} unmasked'}")

    def equated(self, column: Value, node: Node, other: Value) -> None:
        """`column = node` passes as a condition, or does not: where the column is pseudonymised, a constant may be a pseudonym."""
        if not self.noting:
            return
        domain = self.world.pseudonymised(column)
        node = constant_in(node, domain)
        if isinstance(node, exp.Literal):
            self.compared.setdefault(id(node), Compared(node)).domains.add(domain)
        elif isinstance(node, exp.Placeholder):
            self.bound.setdefault(str(node.this), set()).add(domain)
        elif domain is None or other.origins or isinstance(node, exp.Null):
            return
        elif any(isinstance(each, exp.Parameter) for each in nodes(node)):
            self.find("pseudonym", "hold", VARIABLES)
        elif domain != TEXT_DOMAIN or holds_token(node):
            self.find(
                "pseudonym", "hold", "a pseudonymised column is compared with something else than a plain constant"
            )

    def noted(self, value: Value) -> Value:
        self.read |= value.masked
        return value

    def knows(self, upper: str) -> bool:
        """Whether the function of that name is the server's own here."""
        return native(upper, mariadb=self.namespace.mariadb, version=self.namespace.server_version) is not None

    def query(self, node: Node, scope: Scope) -> Columns:
        """The columns of a query inside `scope`. Raises Unsure."""
        level = scope.outer or scope
        key = (id(node), id(level), len(level.items))
        known = self._queries.get(key)
        if known is None:
            known = self._queries[key] = (self.world.follow_query(self, node, scope), scope)
        return known[0]

    def value(self, node: Node, scope: Scope) -> Value:
        """What an expression can reveal. Raises Unsure."""
        return self.world.follow_value(self, node, scope)

    def from_item(self, node: Node, scope: Scope) -> Source:
        return self.world.follow_from(self, node, scope)

    def relation(self, schema: str | None, name: str) -> Columns:
        """The columns of the stored relation of that name, as far as the catalog can say which one it is."""
        found = self.candidates(schema, name)
        if any(name.casefold() == other.casefold() for other in self.namespace.temporary):
            # no catalog shows it, and it may be gone by now; what is masked gets into one by an approval alone
            kept = [self.world.marks.everything] if self.namespace.holds_masked else []
            return Columns((), union([*kept, *(self.world.columns(each).everything() for each in found)]))
        if not found:
            self.unknown.add(name if schema is None else f"{schema}.{name}")
            return Columns((), self.world.marks.everything)
        columns = [self.world.columns(each) for each in found]
        for each in found:
            if (each.schema, each.name) in self.world.laundering:
                self.find(
                    "laundering", "hold", f"the view {each.name} keeps masked values where they can be read later"
                )
        return columns[0] if len(columns) == 1 else Columns((), union(each.everything() for each in columns))

    def candidates(self, schema: str | None, name: str) -> list[CatalogRelation]:
        home = schema if schema is not None else self.namespace.database
        return [] if home is None else self.world.named(home, name)


_FIRST_OF_MARIADB = 10_00_00  # as versions are numbered; MySQL's are smaller
# A routine keeps the mode of its making, which no catalog is asked for: what these mean depends on it. What a variable holds,
# a body does not say.
_BY_MODE = ('"', "||", "\\", "@")


@define
class MySqlWorld:
    """A catalog under one identity's marks. Shared by all statements judged for it."""

    catalog: Catalog
    marks: MySqlMarks
    policy: Policy
    follow_query: QueryFollower
    follow_value: ValueFollower
    follow_from: FromFollower
    routines: Routines = field(init=False)
    has_triggers: bool = field(init=False)
    _columns: dict[tuple[str, str], Columns] = field(factory=dict)
    _folded: dict[tuple[str, str], list[CatalogRelation]] = field(factory=dict)
    _by_name: dict[str, list[CatalogRelation]] = field(factory=dict)
    _open: set[tuple[str, str]] = field(factory=set)
    laundering: set[tuple[str, str]] = field(
        factory=set
    )  # views whose definitions give masked values to what may keep them

    def __attrs_post_init__(self) -> None:
        for relation in self.catalog.relations.values():
            self._folded.setdefault((relation.schema.casefold(), relation.name.casefold()), []).append(relation)
            self._by_name.setdefault(relation.name.casefold(), []).append(relation)
        self.routines = Routines(self.catalog, self.marks, self)
        self.has_triggers = any(relation.triggers for relation in self.catalog.relations.values())

    def named(self, schema: str, name: str) -> list[CatalogRelation]:
        """The relation of that name; several where only their case is another and it is not known whether that counts."""
        exact = self.catalog.relations.get((schema, name))
        return [exact] if exact is not None else self._folded.get((schema.casefold(), name.casefold()), [])

    def anywhere(self, name: str) -> Iterable[CatalogRelation]:
        """Every relation of that name in any database."""
        return self._by_name.get(name.casefold(), ())

    def written_through(self, relation: CatalogRelation) -> Iterable[CatalogRelation]:
        """The relation, and what is beneath a view."""
        waiting, seen = [relation], {relation.oid}
        while waiting:
            found = waiting.pop()
            yield found
            beneath = words_of(found.definition or "") if found.kind == "v" else ()
            for each in (one for word in beneath for one in self.anywhere(word)):
                if each.oid not in seen:
                    seen.add(each.oid)
                    waiting.append(each)

    def marked(self, relation: CatalogRelation) -> bool:
        """Whether anything that it shows is masked."""
        return bool(self.columns(relation).everything().masked)

    def type_of(self, origin: Origin) -> str | None:
        """The type of a stored column, as the catalog names it; None where the catalog does not know it."""
        relation = self.catalog.relations.get((origin.schema, origin.relation))
        found = (
            [each.type_name for each in relation.columns if each.name == origin.column] if relation is not None else []
        )
        return found[0] if found else None

    def pseudonymised(self, value: Value) -> int | None:
        """The domain of a plain column under `pseudonym`; NO_DOMAIN where it may be one of several. None: it has no pseudonyms."""
        marks = {origin.mark for origin in value.origins}
        if not value.plain or len(marks) != 1:
            return None
        (mark,) = marks
        if mark is None or mark.masker != "pseudonym":
            return None
        domains = {domain_of(self.type_of(origin) or "") for origin in value.origins}
        return domains.pop() if len(domains) == 1 else NO_DOMAIN

    def columns(self, relation: CatalogRelation) -> Columns:
        key = (relation.schema, relation.name)
        known = self._columns.get(key)
        if known is not None:
            return known
        if key in self._open:
            raise Unsure(f"{relation.schema}.{relation.name} is defined by itself")
        self._open.add(key)
        try:
            found = self._view(relation) if relation.kind == "v" and _has_text(relation) else self._table(relation)
        finally:
            self._open.discard(key)
        self._columns[key] = found
        return found

    def shown(self, relation: CatalogRelation) -> Columns:
        """What `*` stands for: not the columns that are INVISIBLE."""
        hidden = {column.name for column in relation.columns if column.hidden}
        columns = self.columns(relation)
        return Columns(tuple(pair for pair in columns.named if pair[0] not in hidden), columns.rest)

    def _table(self, relation: CatalogRelation) -> Columns:
        base = Columns(
            tuple((column.name, self._stored(relation, column.name, column.type_name)) for column in relation.columns)
        )
        if not any(column.generated for column in relation.columns):
            return base
        named: list[NamedValue] = []
        for column, (name, value) in zip(relation.columns, base.named, strict=True):
            if column.generated is not None:
                extra = self._computed(relation, column.generated, base)
                if extra.masked:
                    value = Value(value.origins | extra.origins, False, None, value.type_oid)
            named.append((name, value))
        return Columns(tuple(named))

    def _stored(self, relation: CatalogRelation, column: str, type_name: str) -> Value:
        mark = self.marks.column(relation, column)
        origin = Origin(relation.schema, relation.name, column, mark)
        return Value(frozenset({origin}), True, None, kind_of(type_name))

    def _computed(self, relation: CatalogRelation, expression: str, columns: Columns) -> Value:
        scope = Scope(sources=[columns])
        for text in (expression, expression.replace("\\'", "'")):  # MySQL escapes quotes of this text once more
            found = self._read(f"SELECT {text}", relation.schema)
            if found is not None:
                try:
                    return self._following(relation.schema).query(found.trees[0].tree, Scope(outer=scope)).everything()
                except (Unsure, RecursionError):
                    break
        return columns.everything()

    def _view(self, relation: CatalogRelation) -> Columns:
        follow = self._following(relation.schema)  # what the view's own conditions reveal, its owner decided
        found: Columns | None = None
        if (text := self._read(relation.definition or "", relation.schema)) is not None:
            try:
                calls_seen(follow, text)
                found = follow.query(text.trees[0].tree, Scope())
            except (Unsure, RecursionError, ValueError):
                found = None
        if found is None:
            found = Columns((), self.marks.everything)
        if any(each.kind == "laundering" for each in follow.findings):
            self.laundering.add((relation.schema, relation.name))
        exact = found.rest is None and len(found.named) == len(relation.columns)
        named: list[NamedValue] = []
        for index, column in enumerate(relation.columns):
            value = found.named[index][1] if exact else found.everything()
            mark = self.marks.column(relation, column.name)
            if mark is not None:
                own = Origin(relation.schema, relation.name, column.name, mark)
                # what is not masked beneath it may be read there, and is not what this column shows
                beneath = value.origins if value.masked else frozenset()
                value = Value(beneath | {own}, not value.masked, None, kind_of(column.type_name))
            elif not value.type_oid or value.constant:
                value = Value(value.origins, value.plain, None, kind_of(column.type_name))
            named.append((column.name, value))
        return Columns(tuple(named))

    def follow_routine(self, function: CatalogFunction) -> Body | None:
        """A body that is one RETURN of an expression, or plain queries; None for any other, and where it is not sure.

        What its arguments can reveal is the caller's business.
        """
        body = inside(function.body or "")
        text = f"SELECT {body[len('RETURN') :]}" if function.kind == "f" else body
        if (function.kind == "f" and not body.upper().startswith("RETURN")) or any(each in body for each in _BY_MODE):
            return None
        version = self.catalog.server_version
        home = Namespace(
            database=function.schema,
            search_path=(function.schema,),
            server_version=version,
            mariadb=version >= _FIRST_OF_MARIADB,  # GTID_SUBSET is MySQL's own, and anybody's there
        )
        try:
            reads = read(text, home, self.catalog)
        except Exception:  # noqa: BLE001  a text of a form that nobody foresaw is looked at word by word
            return None
        predicates = self.policy.predicates if self.policy.predicates in ("hold", "deny") else "equality"
        follow = Follow(self, home, predicates)
        results: list[Columns] = []
        for found in reads:
            if not _is_query(found) or names_missing(found, self.marks.names):
                return None
            try:
                calls_seen(follow, found)
                results.append(follow.query(found.trees[0].tree, Scope(outer=Scope(parameters=CLEAN))))
            except (Unsure, RecursionError):
                return None
        if follow.unknown or not results or (function.kind == "f" and len(results) != 1):
            return None
        if any(finding.kind != "predicate" for finding in follow.findings):
            return None
        shows = union(each.everything() for each in results)
        # an argument hides a column of its name: what reads alike in a condition may be the caller's term
        asks = bool(follow.findings or follow.told or follow.read - shows.masked) and bool(function.arguments)
        return Body(shows, asks, tuple(results) if function.kind == "p" else ())

    def _following(self, database: str) -> Follow:
        return Follow(self, Namespace(database=database), "allow")

    def _read(self, text: str, database: str) -> Read | None:
        """A stored text of one query; None where it is not understood."""
        try:
            found = read(text, Namespace(database=database, search_path=(database,)), self.catalog)
        except Exception:  # noqa: BLE001  a text of a form that nobody foresaw shows everything
            return None
        if len(found) != 1 or found[0].statement.opaque is not None or len(found[0].trees) != 1:
            return None
        return found[0]


def calls_seen(follow: Follow, read: Read) -> None:
    """A stored function that the parser takes for one of its own would be followed as that. Raises Unsure.

    Those that views call are in their texts, not in this one.
    """
    called = {
        node.name.casefold() for parsed in read.trees for node in nodes(parsed.tree) if isinstance(node, exp.Anonymous)
    }  # fmt: skip
    functions = read.statement.functions
    written: frozenset[str] | None = None
    for function in functions[:-1] if read.statement.root == "Call" else functions:
        name = function.name.casefold()
        if read.trees and name not in called and not follow.knows(function.name.upper()):
            written = written if written is not None else names_written(read)
            if name in written:
                raise Unsure(f"the function {function.name}")


def _is_query(found: Read) -> bool:
    """It gives one result and keeps nothing: INTO may name a variable that only the routine has."""
    statement = found.statement
    plain = statement.root == "Select" and statement.opaque is None and not statement.settings
    return plain and len(found.trees) == 1 and "INTO" not in found.words


def inside(body: str) -> str:
    """The statements of a routine, without the BEGIN and END around them."""
    body = body.strip().rstrip(";").strip()
    if body[:5].upper() == "BEGIN" and body[-3:].upper() == "END":
        body = body[5:-3].strip().rstrip(";").strip()
    return body


def _has_text(relation: CatalogRelation) -> bool:
    """The server's own views without a definition are tables to whoever reads them; that of a user's may not be shown."""
    return relation.definition is not None or folded(relation.schema) not in SYSTEM_SCHEMAS
