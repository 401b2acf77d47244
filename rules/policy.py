"""Ordered rules: the first that matches a statement decides it; the worst statement decides a batch."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from rules.model import Effect, Kind


@frozen
class When:
    """Conditions of a rule; all that are given must hold. Empty sets and None mean "not asked"."""

    kinds: frozenset[Kind] = frozenset()
    effects: frozenset[Effect] = frozenset()  # any of these
    only_effects: frozenset[Effect] = frozenset()  # no effect outside these
    relations: tuple[str, ...] = ()  # globs over schema.name: any relation matches
    only_relations: tuple[str, ...] = ()  # every relation matches
    access: Literal["read", "write", "ddl", "any"] = "any"  # which relations the globs look at
    functions: tuple[str, ...] = ()  # globs over schema.name
    missing_where: bool | None = None
    batch: bool | None = None
    identities: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    databases: tuple[str, ...] = ()
    hours: tuple[int, int] | None = None  # minutes of the day, [from, to); from > to wraps midnight
    days: frozenset[int] = frozenset()  # 0 Monday … 6 Sunday
    estimated_rows_over: int | None = None


@frozen
class Rule:
    name: str
    action: Literal["allow", "observe", "hold", "deny"]
    reason: str = ""
    hint: str = ""
    when: When = When()
    approvers: frozenset[str] = frozenset()
    quorum: int = 1
    wait_s: float | None = None
    expires_s: float | None = None
    maximum_rows: int | None = None


@frozen
class Policy:
    name: str
    rules: tuple[Rule, ...]
    default: Literal["allow", "hold", "deny"] = "hold"
    version: str = ""
    derived: Literal["mask", "hold", "deny"] = "mask"  # what an expression over a masked column gets
    predicates: Literal["allow", "equality", "hold", "deny"] = "equality"  # what a condition over one gets


@frozen
class MaskRule:
    """`[[mask]]`: which columns are rewritten, and for whom."""

    column: str  # glob over schema.table.column
    masker: str  # redact, null, last4, email, hash, …
    databases: tuple[str, ...] = ("*",)
    except_groups: frozenset[str] = frozenset()
    argument: str | None = None  # of maskers that take one: first-n, constant, bucket
