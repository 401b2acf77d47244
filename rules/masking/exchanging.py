"""What following a statement has noted, as what is sent in its place and what is said against it."""

from __future__ import annotations

from typing import Protocol

from pglast import ast

from rules.masking.exchange import NOTHING, Exchange, Translation
from rules.masking.follow import Follow, Node, isa
from rules.masking.literals import Constant, Constants
from rules.masking.pseudonyms import NoPseudonym
from rules.masking.trees import nodes
from rules.masking.writeback import MaskForms, written

_WRITES = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt, ast.CreateTableAsStmt)


class Source(Protocol):
    @property
    def constants(self) -> Constants: ...


def compares_literals(follow: Follow) -> bool:
    """Whether a constant of the text may be a pseudonym: another text of the same shape has others."""
    return any(not isa(pair.node, ast.ParamRef) for pair in follow.compared)


def exchanged(follow: Follow, tree: Node, source: Source, forms: MaskForms) -> Exchange:
    """Findings go to `follow`."""
    if isa(tree, ast.ExplainStmt) and isa(tree.query, ast.ExecuteStmt):
        tree = tree.query
    if isa(tree, ast.ExecuteStmt):
        return Exchange(arguments=tuple(_argument(node, source) for node in tree.params or ()))
    parameters = _written(follow, tree, forms)
    if not follow.compared:
        return Exchange(written=parameters) if parameters else NOTHING
    try:
        if follow.world.echoes and _may_echo(tree):
            raise NoPseudonym(
                "routines of this database read the texts of statements, and may keep what a pseudonym stands for"
            )
        found = Translation(source.constants).of(follow.compared, nodes(tree))
    except NoPseudonym as error:
        follow.find("pseudonym", "hold", str(error))
        return Exchange(written=parameters)
    return Exchange(found.literals, found.parameters, parameters)


def _argument(node: Node, source: Source) -> Constant | None:
    return source.constants.of(node) if isa(node, ast.A_Const) else None


def _written(follow: Follow, tree: Node, forms: MaskForms) -> frozenset[int]:
    every = list(nodes(tree))
    targets = [node.relation for node in every if isa(node, ast.InsertStmt | ast.UpdateStmt | ast.MergeStmt)]
    if not targets:
        return frozenset()
    hashed = forms.hashes and any(
        mark.masker == "hash"
        for target in targets
        for relation in follow.candidates(target.schemaname, target.relname)
        for mark in follow.world.marks.of(relation).values()
    )
    texts, parameters = written(every)
    for text in texts:
        why = forms.why(text, hashed)
        if why is not None:
            follow.find(
                "writeback", "hold", f"{why} would be written into a table: read the value it stands for from there"
            )
    return parameters


def _may_echo(tree: Node) -> bool:
    """A trigger or a function of the database may run."""
    return any(isa(node, (*_WRITES, ast.FuncCall)) for node in nodes(tree))
