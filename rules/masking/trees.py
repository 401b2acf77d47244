"""Nodes of pglast, for which no type describes the attributes well."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any

from pglast import ast

Node = Any  # a node of pglast.ast: the library has no types


def isa(node: Node, kinds: type | tuple[type, ...] | UnionType) -> bool:
    """`isinstance` for nodes."""
    return isinstance(node, kinds)


def nodes(tree: Node) -> Iterator[Node]:
    """Every node below `tree`, itself included; without recursion, since statements may be deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | tuple):
            waiting.extend(node)
        elif isinstance(node, ast.Node):
            yield node
            waiting.extend(getattr(node, attribute) for attribute in node)
