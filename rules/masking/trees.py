"""Nodes of pglast, for which no type describes the attributes well."""

from __future__ import annotations

from types import UnionType
from typing import Any

Node = Any  # a node of pglast.ast: the library has no types


def isa(node: Node, kinds: type | tuple[type, ...] | UnionType) -> bool:
    """`isinstance` for nodes."""
    return isinstance(node, kinds)
