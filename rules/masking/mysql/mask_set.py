"""The masks of one identity in one MySQL or MariaDB database: the counterpart of `rules.masking.MaskSet`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import define, evolve

from rules.catalog import Catalog
from rules.classify.mysql.lexer import STRING, string_value
from rules.classify.mysql.statements import lexing_of
from rules.masking import Copies, MaskSet
from rules.masking.inheriting import Move
from rules.masking.marks import rules_for
from rules.masking.maskers import check_masker
from rules.masking.mysql.copies import copies
from rules.masking.mysql.diagnostics import scrub
from rules.masking.mysql.exchange import exchanged, may_echo
from rules.masking.mysql.expressions import value
from rules.masking.mysql.follow import VARIABLES, Follow, MySqlWorld
from rules.masking.mysql.marks import MySqlMarks
from rules.masking.mysql.maskers import MySqlMaskers
from rules.masking.mysql.plan import MySqlPlanner, MySqlResultMasks
from rules.masking.mysql.queries import from_item, query
from rules.masking.mysql.reading import Read, read
from rules.masking.mysql.standing import CARRIERS, Standing, carried
from rules.masking.mysql.statements import PLANS, Followed, follow_statement
from rules.masking.plan import OutputColumn
from rules.masking.pseudonyms import token_in
from rules.masking.values import Columns, Mark, MaskFinding, Unsure, Value
from rules.model import Access, Effect, Identity, Namespace, Statement
from rules.policy import MaskRule, Policy

_INSIDE = 4  # statements inside statements: PREPARE of EXPLAIN of …
UNFOLLOWED = MaskFinding("unfollowed", "hold", "the statement cannot be followed, and columns are masked here")
_HANDS_ON = {"Set": VARIABLES, "Call": "a pseudonym that is given to a stored routine is not translated there"}
_WRITES = frozenset({"Insert", "Replace", "Update"})


def compile_mysql_masks(
    rules: Sequence[MaskRule],
    database: str,
    identity: Identity,
    catalog: Catalog,
    policy: Policy,
    key: bytes,
    moves: Sequence[Move] = (),
    unmasked: Sequence[str] = (),
) -> MySqlMaskSet | None:
    """The masks of one identity in one database; None when no rule binds it. Raises ValueError on an unknown masker.

    `moves`: what was written from masked columns into others; `unmasked`: globs of columns that the identity may see for now.
    """
    binding = rules_for(rules, database, identity)
    if not binding:
        return None
    for rule in binding:
        check_masker(Mark(rule.masker, rule.argument))
    world = MySqlWorld(
        catalog, MySqlMarks(catalog, binding, tuple(moves), tuple(unmasked)), policy, query, value, from_item
    )
    return MySqlMaskSet(MySqlPlanner(world, MySqlMaskers(key)))


def _behind(statement: Statement, result: MySqlResultMasks, namespace: Namespace) -> Namespace:
    """The session as the next statement of the same text finds it, if people let this one run."""
    if result.keeps:
        namespace = evolve(namespace, holds_masked=True)
    names = frozenset(each.name for each in statement.relations if each.access is Access.DDL)
    if statement.root == "DropTable":
        return evolve(namespace, temporary=namespace.temporary - names)
    if statement.root == "CreateTable" and Effect.NAMESPACE in statement.effects:
        return evolve(namespace, temporary=namespace.temporary | names)
    return namespace


@define
class MySqlMaskSet(MaskSet):
    """Shared by all sessions of equal rights on one catalog."""

    # the base names Postgres's classes; what is used of them is the same
    planner: MySqlPlanner

    def __attrs_post_init__(self) -> None:
        self._forms = self.planner.forms
        self._forms.knows(self.world.marks.in_use)
        everything = Columns((), self.planner.world.marks.everything)
        self._unknown = MySqlResultMasks(self.planner, everything, touches=True, several=True)

    @property
    def temporaries(self) -> frozenset[str]:
        """The temporary tables that stored routines may make."""
        return self.world.routines.temporaries

    @property
    def world(self) -> MySqlWorld:  # type: ignore[override]
        return self.planner.world

    def copies(self) -> Iterator[Copies]:
        return copies(self.world)

    def examine(
        self, text: str, statements: tuple[Statement, ...], namespace: Namespace
    ) -> tuple[MySqlResultMasks, ...]:
        """What each statement's results may carry, one for one. Total: what cannot be read is unknown, and held."""
        if all(statement.opaque is not None for statement in statements):
            return (self._unfollowed(),) * len(statements)
        try:
            reads = read(text, namespace, self.world.catalog)
        except Exception:  # noqa: BLE001 - a text that the classifier fails on must neither pass nor end the session
            reads = ()
        if len(reads) != len(statements):
            return (self._unfollowed(),) * len(statements)
        results: list[MySqlResultMasks] = []
        for found in reads:
            result = self._examined(found, namespace)
            if namespace.holds_masked and result.follows_names:
                result = evolve(result, follows_names=False)  # what was prepared may read what has just been kept
            results.append(result)
            namespace = _behind(found.statement, result, namespace)
        return tuple(results)

    def _unfollowed(self) -> MySqlResultMasks:
        return evolve(self.unknown(), findings=(UNFOLLOWED,))

    def unknown(self) -> MySqlResultMasks:
        """For results whose statement is not known: all of them is masked."""
        assert isinstance(self._unknown, MySqlResultMasks)
        return self._unknown

    def _examined(self, found: Read, namespace: Namespace) -> MySqlResultMasks:
        if found.statement.opaque is not None:
            return self._unfollowed()
        try:
            result = self._followed(found, namespace)
            if result.keeps and not namespace.holds_masked:  # it may read back what it keeps: SELECT @a := ssn, @a
                again = self._followed(found, evolve(namespace, holds_masked=True))
                result = evolve(result, columns=again.columns, results=again.results, touches=True)
            return result
        except Exception:  # noqa: BLE001 - a tree of a shape that nobody foresaw must neither pass nor end the session
            return self._unfollowed()

    def _followed(self, found: Read, namespace: Namespace) -> MySqlResultMasks:
        follow = Follow(self.world, evolve(namespace, database=found.database), self.world.policy.predicates)
        followed, standing = self._statement(follow, Standing(found), namespace, 0)
        exchange = exchanged(follow, standing)
        self._judge(follow, followed)
        self._judge_written(follow, standing.read)
        shown = followed.columns.everything().masked
        root = standing.read.statement.root
        writes, handed = root in _WRITES, _HANDS_ON.get(root)
        return MySqlResultMasks(
            self.planner,
            followed.columns,
            tuple(follow.findings),
            bool(shown or follow.findings or follow.read or follow.literal)
            or self._names_masked(follow, found.statement)
            or followed.loads is not None
            or ((writes or handed is not None) and "?" in found.words),
            literal=follow.literal,
            follows_names=followed.follows_names,
            unknown=tuple(sorted(follow.unknown)),
            exchange=exchange,
            moves=tuple(dict.fromkeys(follow.moves)),
            harmless=followed.harmless,
            several=followed.several,
            results=followed.results,
            warnings=followed.warnings,
            told=self._told(follow, standing),
            writes=writes,
            places=sum(token.word == "?" for token in found.tokens),
            echoes=may_echo(follow, standing),
            handed=handed,
            loads=followed.loads,
        )

    def _statement(
        self, follow: Follow, standing: Standing, namespace: Namespace, depth: int
    ) -> tuple[Followed, Standing]:
        """What becomes of a statement, and the innermost one, which runs. Raises Unsure."""
        found = standing.read
        statement = found.statement
        inner = statement.inner
        if statement.root not in CARRIERS or inner is None:
            follow.noting = True
            return follow_statement(self.world, follow, found), standing
        if depth >= _INSIDE:
            raise Unsure("a statement inside of one")
        inside, runs = self._statement(follow, carried(standing, namespace, self.world.catalog), namespace, depth + 1)
        if statement.root == "ExecuteImmediate" and follow.told and follow.predicates != "allow":
            follow.find(
                "predicate", "hold", "a variable may hold a number, which would ask for digits of a masked text"
            )
        if statement.root == "Prepare":
            return Followed(Columns()), runs
        if statement.root.startswith("Explain"):
            # the optimizer reads rows of which it knows the key, and prints their values in their columns' place
            read_ones = Value(frozenset(follow.read) | inside.columns.everything().masked)
            if "INTO" in statement.text.removesuffix(inner.text).upper():
                follow.laundered(read_ones, "a user variable")
            return Followed(Columns((), read_ones), harmless=PLANS), runs
        return inside, runs

    def _names_masked(self, follow: Follow, statement: Statement) -> bool:
        """Whether a relation with masked columns is named: then the server's own word on origins is heard as well."""
        return any(
            self.world.marked(each)
            for relation in statement.relations
            for each in follow.candidates(relation.schema, relation.name)
        )

    def _judge(self, follow: Follow, followed: Followed) -> None:
        action = self.world.policy.derived
        if action == "mask" or followed.follows_names:
            return
        rest = [] if followed.columns.rest is None else [followed.columns.rest]
        for each in [*(shown for _, shown in followed.columns.named), *rest]:
            if each.masked and not each.plain:
                follow.find("derived", action, "a result column is computed from a masked column")

    def _judge_written(self, follow: Follow, found: Read) -> None:
        """Masks on their way back into a table; pseudonyms on their way to a variable or a routine."""
        root = found.statement.root
        if root not in _WRITES and root not in _HANDS_ON:
            return
        lexing = lexing_of(follow.namespace)
        compared = {str(each.node.this) for each in follow.compared.values() if not each.domains <= {None}}
        for token in found.tokens:
            text = string_value(token, lexing) if token.kind == STRING else ""
            if root in _WRITES and (why := self.masked_text(text)) is not None:
                reason = f"{why} would be written into a table: read the value it stands for from there"
                follow.find("writeback", "hold", reason)
            elif root in _HANDS_ON and token_in(text) and text not in compared:
                follow.find("pseudonym", "hold", _HANDS_ON[root])

    @staticmethod
    def _told(follow: Follow, standing: Standing) -> frozenset[int]:
        numbers = standing.bound
        if not follow.told <= numbers.keys():  # values are variables, or it is not known which they are
            return frozenset(range(sum(token.word == "?" for token in standing.read.tokens) + 1))
        return frozenset(numbers[mark] for mark in follow.told)

    def explain(self, text: str, namespace: Namespace) -> tuple[tuple[OutputColumn, ...], ...]:
        """For each statement of a text, where its output columns come from and what each gets; () for a text that is no SQL."""
        try:
            reads = read(text, namespace, self.world.catalog)
        except Exception:  # noqa: BLE001 - as above
            return ()
        return tuple(self._examined(found, namespace).outputs() for found in reads)

    def scrub_diagnostic(self, fields: Mapping[str, bytes]) -> dict[str, bytes]:
        """What may pass of an ERR packet, or of the words of an OK packet, by the codes of `fields_of`."""
        return scrub(fields)
