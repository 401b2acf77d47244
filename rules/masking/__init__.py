"""Masking: which result columns can reveal a masked column, and what the client gets in their place.

`compile_masks` lays the config's rules over a catalog for one identity. The `MaskSet` then examines statements before they
run; each `ResultMasks` turns the server's description of a result into a plan of field maskers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import define, evolve, field

from rules.catalog import Catalog
from rules.masking.copies import Copies, copies
from rules.masking.copying import Incoming
from rules.masking.diagnostics import scrub
from rules.masking.exchanging import compares_literals, exchanged
from rules.masking.follow import Follow, World
from rules.masking.incoming import IncomingCheck
from rules.masking.inheriting import Move
from rules.masking.literals import Constants, Positions
from rules.masking.marks import Marks, rules_elsewhere, rules_for
from rules.masking.maskers import MASKERS, Maskers, check_masker
from rules.masking.plan import OutputColumn, Planner, ResultMasks, RowPlan
from rules.masking.pseudonyms import Pseudonyms
from rules.masking.statements import Followed, folded, follow_statement, from_item, parsed, query, value
from rules.masking.values import Columns, Mark, MaskFinding
from rules.masking.writeback import MaskForms
from rules.model import Identity, Namespace, Statement
from rules.policy import MaskRule, Policy
from rules.redefining import after

__all__ = [
    "MASKERS",
    "Copies",
    "MaskFinding",
    "MaskSet",
    "Move",
    "OutputColumn",
    "ResultMasks",
    "RowPlan",
    "check_masker",
    "compile_masks",
]


def compile_masks(
    rules: Sequence[MaskRule],
    database: str,
    identity: Identity,
    catalog: Catalog,
    policy: Policy,
    key: bytes,
    moves: Sequence[Move] = (),
    unmasked: Sequence[str] = (),
) -> MaskSet | None:
    """The masks of one identity in one database; None when nothing is masked. Raises ValueError on an unknown masker.

    Nothing is where no rule binds it there, nor one of other databases a foreign table.

    `moves`: what was written from masked columns into others; `unmasked`: globs of columns that the identity may see for now.
    """
    binding = rules_for(rules, database, identity)
    elsewhere = rules_elsewhere(rules, binding, identity, catalog)
    if not binding and not elsewhere:
        return None
    for rule in (*binding, *elsewhere):
        check_masker(Mark(rule.masker, rule.argument))
    marks = Marks(catalog, binding, tuple(moves), tuple(unmasked), elsewhere)
    if not binding and not marks.any_foreign:
        return None
    world = World(catalog, marks, policy, query, value, from_item)
    return MaskSet(Planner(world, Maskers(key)))


class _Source:
    """The text that statements were parsed from: where its constants stand is found out when somebody asks."""

    def __init__(self, text: str, trees: tuple[object, ...]) -> None:
        self._text = text
        self._trees = trees
        self._constants: Constants | None = None

    @property
    def constants(self) -> Constants:
        if self._constants is None:
            self._constants = Constants(self._text, self._trees)
        return self._constants


@define
class MaskSet:
    """Shared by all sessions of equal rights on one catalog."""

    planner: Planner
    _unknown: ResultMasks = field(init=False)
    _forms: MaskForms = field(init=False, factory=MaskForms)
    _constants_ask: bool = field(init=False)  # whether what the server does with a constant may read masked columns

    def __attrs_post_init__(self) -> None:
        self._forms.knows(self.world.marks.in_use)
        everything = Columns((), self.planner.world.marks.everything)
        self._unknown = ResultMasks(self.planner, everything, touches=True)
        shows, conversions = self.world.routines.text_shows, self.world.catalog.conversions.values()
        self._constants_ask = any(shows(text).masked for texts in conversions for text in texts)

    @property
    def world(self) -> World:
        return self.planner.world

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The rules' patterns that no column has."""
        return self.world.marks.unmatched

    def copies(self) -> Iterator[Copies]:
        """Where masked columns have copies that no mask covers."""
        return copies(self.world)

    @property
    def pseudonyms(self) -> Pseudonyms:
        return self.planner.maskers.pseudonyms

    def hinted(self, text: bytes) -> bool:
        """Whether what is found in this text holds for no other text of its shape, and the other way round."""
        return self._forms.hinted(text)

    def masked_text(self, text: str) -> str | None:
        """What a text that is written into a column looks like; None: like no mask."""
        return self._forms.why(text, self._forms.hashes)

    def check_of(self, incoming: Incoming, namespace: Namespace) -> IncomingCheck:
        """What is looked for in the data of COPY FROM STDIN."""
        return IncomingCheck(self._forms, incoming, namespace)

    def examine(self, text: str, statements: tuple[Statement, ...], namespace: Namespace) -> tuple[ResultMasks, ...]:
        """What each statement's results may carry, one for one. Total: what cannot be read is unknown."""
        if all(statement.opaque is not None for statement in statements):
            # it may have been refused for its depth or its size: parsing it here could end the process
            return (self.unknown(),) * len(statements)
        trees = parsed(text)
        if trees is None or len(trees) != len(statements):
            return (self.unknown(),) * len(statements)
        source = _Source(text, trees)
        found = []
        for tree, statement in zip(trees, statements, strict=True):
            found.append(self.unknown() if statement.opaque is not None else self._examine(tree, namespace, source))
            namespace = after(namespace, statement)
        return tuple(found)

    def _examine(self, tree: object, namespace: Namespace, source: _Source) -> ResultMasks:
        try:
            return self._follow(tree, namespace, source)
        except Exception:  # noqa: BLE001 - a tree of a shape that nobody foresaw must neither pass nor end the session
            unfollowed = MaskFinding(
                "unfollowed", "hold", "the statement cannot be followed, and columns are masked here"
            )
            return evolve(self.unknown(), findings=(unfollowed,))

    def _follow(self, tree: object, namespace: Namespace, source: _Source) -> ResultMasks:
        follow = Follow(self.world, namespace, self.world.policy.predicates)
        followed = follow_statement(self.world, follow, tree)
        self._judge_derived(followed)
        exchange = exchanged(follow, tree, source, self._forms)
        # what EXPLAIN of it would print counts as well: it may be prepared, and explained by its name
        shown = followed.columns.everything().masked or folded(self.world, follow, tree).masked
        return ResultMasks(
            self.planner,
            followed.columns,
            tuple(follow.findings),
            bool(shown or follow.findings or follow.ambiguous),
            follow.positional or compares_literals(follow),
            followed.sends_rows_of_others,
            tuple(sorted(follow.unknown)),
            followed.copy,
            exchange,
            tuple(dict.fromkeys(follow.moves)),
            followed.incoming,
            followed.explained,
        )

    def _judge_derived(self, followed: Followed) -> None:
        action = self.world.policy.derived
        if action == "mask" or followed.sends_rows_of_others or followed.explained is not None:
            return
        rest = [] if followed.columns.rest is None else [followed.columns.rest]
        for found in [*(each for _, each in followed.columns.named), *rest]:
            if found.masked and not found.plain:
                followed.follow.find("derived", action, "a result column is computed from a masked column")

    def unknown(self) -> ResultMasks:
        """For results whose statement is not known: the server's origins decide, and all else is masked."""
        return self._unknown

    def explain(self, text: str, namespace: Namespace) -> tuple[tuple[OutputColumn, ...], ...]:
        """For each statement of a text, where its output columns come from and what each gets; () for a text that is no SQL."""
        trees = parsed(text) or ()
        source = _Source(text, trees)
        return tuple(self._examine(tree, namespace, source).outputs() for tree in trees)

    def scrub_diagnostic(self, fields: Mapping[str, bytes]) -> dict[str, bytes]:
        """An ErrorResponse or NoticeResponse without what could carry data, by field code."""
        return scrub(fields, constants_ask=self._constants_ask)

    def mender(self, positions: Positions) -> Callable[[Mapping[str, bytes]], dict[str, bytes]]:
        """For what the server says of a statement in which pseudonyms were translated: it may quote what was sent."""
        return lambda fields: scrub(fields, positions, constants_ask=self._constants_ask)

    def scrub_notification(self, _channel: bytes, payload: bytes) -> bytes:
        """A notification's payload: triggers and other sessions put rows there, so none passes."""
        return b"" if not payload else b"***"
