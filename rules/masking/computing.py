"""Functions that are given a row: computed fields (`full_name(people)`) and relations (`orders_of(people)`).

A row holds masked columns as soon as its table does. Such a function is followed with what it is given: one in language sql as if
its text stood in the statement, one in PL/pgSQL by which fields of the row its words name. Anything else counts as all of the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import evolve
from pglast import ast, parser

from rules.catalog import CatalogFunction
from rules.masking.follow import ANY_PATH, Follow, isa
from rules.masking.routines import DYNAMIC, built_in, uncommented
from rules.masking.scope import Arguments, Scope
from rules.masking.values import CLEAN, Columns, NamedValue, Unsure, Value, union
from rules.model import Namespace

_DEEPEST = 3  # a computed field that calls others
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def computed(follow: Follow, schema: str | None, name: str, given: Sequence[Value]) -> Columns | None:
    """What the function shows of these arguments, by columns of its result; findings about it go to `follow`.

    None: it is no such function, or cannot be followed so.
    """
    if follow.namespace.redefined or follow.namespace.renamed or follow.namespace.changed or follow.depth >= _DEEPEST:
        return None
    overloads = follow.world.routines.named(name)
    if len(overloads) != 1 or schema not in (None, overloads[0].schema):
        return None
    (function,) = overloads
    arguments = tuple(_arguments(follow, function, given))
    if len(arguments) != len(given) or not any(value.masked for _, value in arguments):
        return None
    if function.language == "sql" and not follow.world.routines.calls_itself(function):
        return _followed(follow, function, arguments)
    return _read_fields(follow, function, arguments) if function.language == "plpgsql" else None


def _arguments(follow: Follow, function: CatalogFunction, given: Sequence[Value]) -> Iterator[NamedValue]:
    """Each with its name; they end where one is masked and no row of exactly the table that the function takes."""
    if (
        built_in(function)
        or function.extension is not None
        or function.kind != "f"
        or len(function.inputs) != len(given)
    ):
        return
    for (name, type_name), value in zip(function.inputs, given, strict=True):
        if value.masked:
            relation = follow.world.routines.relation_named(type_name)
            # by name and by place: an alias may call one column by the name of another
            if relation is None or follow.world.columns(relation).named != value.fields:
                return
        yield name, value


def _followed(follow: Follow, function: CatalogFunction, arguments: tuple[NamedValue, ...]) -> Columns | None:
    given = Arguments(union(value for _, value in arguments), arguments, function.name)
    for namespace in (Namespace(search_path=("public", function.schema)), ANY_PATH):
        inner = Follow(follow.world, namespace, follow.predicates, depth=follow.depth + 1)
        try:
            trees = follow.world.sql_of(function)
            if not trees or not all(isa(tree, ast.SelectStmt) for tree in trees):
                return None
            results = [inner.query(tree, Scope(parameters=given)) for tree in trees]
        except (Unsure, parser.ParseError, RecursionError, ValueError):
            return None
        if inner.unknown:
            return None
        if not inner.ambiguous:
            break
    for finding in inner.findings:
        follow.findings[evolve(finding, reason=f"{function.name}: {finding.reason}")] = None
    if follow.world.routines.converting_keeps(function.types):
        follow.handed(function.name, results[-1].everything())
    return results[-1]


def _read_fields(follow: Follow, function: CatalogFunction, arguments: tuple[NamedValue, ...]) -> Columns | None:
    """If it names fields of the row alone that are not masked, what it is given is these."""
    body = function.body or ""
    if not body.isascii() or '"' in body or DYNAMIC.search(body):
        return None
    for number, (name, value) in enumerate(arguments, 1):
        if value.fields is None or not value.masked:
            continue
        if name and not _PLAIN_NAME.fullmatch(name):
            return None
        clean = {field for field, held in value.fields if field is not None and not held.masked}
        word = rf"(?<![\w$])(?:\${number}(?!\d)|{name}(?![\w$]))" if name else rf"\${number}(?!\d)"
        for text in (body, uncommented(body)):
            for found in re.finditer(rf"{word}(\s*\.\s*([A-Za-z_]\w*)(?![\w$]))?", text, re.IGNORECASE | re.ASCII):
                if found[2] is None or found[2].lower() not in clean:
                    return None
    read = union(value.unmasked() if value.masked else value for _, value in arguments)
    return Columns((), union([read, follow.world.routines.shows(function)]))


def shown(follow: Follow, schema: str | None, name: str, given: Sequence[Value]) -> Value | None:
    found = computed(follow, schema, name, given)
    return None if found is None else Value(found.everything().origins) if found.values() else CLEAN
