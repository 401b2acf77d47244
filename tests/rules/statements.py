"""Statements as a classifier would make them, for tests of what is decided about them."""

from __future__ import annotations

from hypothesis import strategies as st

from rules.model import Access, Effect, Function, Kind, Relation, Setting, Statement, Volatility

READ = frozenset({Effect.READ})


def statement(
    kind: Kind = Kind.SELECT,
    *effects: Effect,
    relations: tuple[Relation, ...] = (),
    functions: tuple[Function, ...] = (),
    has_where: bool | None = None,
    trivial_where: bool = False,
    opaque: str | None = None,
    settings: tuple[Setting, ...] = (),
    root: str = "SelectStmt",
    text: str = "SELECT 1",
    literal: bool = False,
    inner: Statement | None = None,
    batch: int = 1,
) -> Statement:
    return Statement(
        text, kind, root, READ | frozenset(effects), relations, functions, has_where, trivial_where, opaque, settings,
        literal=literal, inner=inner, batch=batch,
    )  # fmt: skip


def opaque(reason: str = "nobody knows") -> Statement:
    return Statement("?", Kind.OPAQUE, "", frozenset({Effect.UNKNOWN}), opaque=reason, literal=True)


def writes(name: str, schema: str | None = "public") -> Relation:
    return Relation(schema, name, Access.WRITE)


def unknown(name: str, schema: str | None = None) -> Function:
    return Function(schema, name)


def builtin(name: str, *effects: Effect, volatility: Volatility = Volatility.STABLE) -> Function:
    return Function("pg_catalog", name, volatility, frozenset(effects), known=True)


_names = st.sampled_from(["a", "b", "orders", "pg_authid"])
_schemas = st.sampled_from([None, "public", "app", "pg_catalog"])
relations = st.builds(Relation, _schemas, _names, st.sampled_from(Access))
functions = st.builds(
    Function,
    _schemas,
    _names,
    st.sampled_from(Volatility),
    st.frozensets(st.sampled_from(Effect), max_size=2),
    st.booleans(),
)
settings = st.builds(
    Setting, st.sampled_from(["role", "search_path", "timezone", "client_encoding"]), st.none() | st.text(max_size=3)
)
statements = st.builds(
    Statement,
    text=st.just("SELECT 1"),
    kind=st.sampled_from(Kind),
    root=st.sampled_from(["SelectStmt", "DropStmt", "Delete"]),
    effects=st.frozensets(st.sampled_from(Effect), max_size=4).map(lambda found: found | READ),
    relations=st.lists(relations, max_size=3).map(tuple),
    functions=st.lists(functions, max_size=3).map(tuple),
    has_where=st.none() | st.booleans(),
    trivial_where=st.booleans(),
    opaque=st.none() | st.none() | st.just("because"),
    settings=st.lists(settings, max_size=2).map(tuple),
    batch=st.integers(1, 2),
)
