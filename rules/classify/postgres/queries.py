"""SELECT and the statements that change rows, with the names that WITH puts in sight."""

from __future__ import annotations

from rules.classify.postgres.conditions import judge_where
from rules.classify.postgres.tree import Node, constant
from rules.classify.postgres.walk import Scope, Walk, handles
from rules.model import Access, Effect, Kind


def with_clause(walk: Walk, clause: Node | None, scope: Scope) -> Scope:
    """Visits the queries of a WITH and gives the names that the statement itself sees.

    Without RECURSIVE a query sees the names before its own only: in `WITH x AS (SELECT * FROM x)` the inner x is a table.
    """
    if not clause:
        return scope
    queries = [each["CommonTableExpr"] for each in clause.get("ctes", ())]
    if clause.get("recursive"):
        scope = scope | {query.get("ctename", "") for query in queries}
        for query in queries:
            walk.push_below("CommonTableExpr", query, scope)
        return scope
    for query in queries:
        walk.push_below("CommonTableExpr", query, scope)
        scope = scope | {query.get("ctename", "")}
    return scope


@handles("WithClause")
def with_clause_alone(walk: Walk, node: Node, scope: Scope) -> None:
    with_clause(walk, node, scope)


@handles("CommonTableExpr")
def common_table_expr(walk: Walk, node: Node, scope: Scope) -> None:
    walk.push_below("CommonTableExpr", node, scope)


@handles("SelectStmt")
def select(walk: Walk, node: Node, scope: Scope) -> None:
    if node is walk.root:
        walk.returns_rows = "intoClause" not in node
        walk.setting_name = _one_setting(node)
    walk.become(Kind.SELECT)
    walk.effects.add(Effect.READ)
    if "intoClause" in node or _left_into(node):
        created_by_query(walk, _left_into(node) or node["intoClause"])
        if walk.tag == "SelectStmt":
            walk.kind = Kind.DDL
            walk.returns_rows = False
    if "withClause" in node:
        scope = with_clause(walk, node["withClause"], scope)
        walk.push_below("SelectStmt", node, scope, ("withClause",))
    else:
        walk.push_below("SelectStmt", node, scope)


def _one_setting(node: Node) -> str | None:
    """The x of `SELECT … FROM pg_settings WHERE name = 'x'`: how pg_dump sets a parameter that may not exist."""
    match node:
        case {
            # nothing else may stand in it: a subquery would have a `name` of its own
            "targetList": [{"ResTarget": {"val": {"FuncCall": {"args": [_, {"A_Const": _}, {"A_Const": _}]}}}}],
            "fromClause": [{"RangeVar": {"relname": "pg_settings", **source}}],
            "whereClause": {"A_Expr": {"name": [{"String": {"sval": "="}}], "lexpr": left, "rexpr": right}},
        } if source.get("schemaname", "pg_catalog") == "pg_catalog" and "withClause" not in node:
            return (
                constant(right) if left.get("ColumnRef", {}).get("fields") == [{"String": {"sval": "name"}}] else None
            )
    return None


def _left_into(node: Node) -> Node | None:
    """`SELECT … INTO t … UNION …`: the leftmost query holds it."""
    while "larg" in node:
        node = node["larg"]
        if "intoClause" in node:
            found = node["intoClause"]
            return found if isinstance(found, dict) else None
    return None


def created_by_query(walk: Walk, into: Node) -> None:
    """SELECT INTO, CREATE TABLE AS, CREATE MATERIALIZED VIEW: a new relation, filled with rows."""
    walk.effects |= {Effect.DDL, Effect.WRITE}
    created(walk, into.get("rel", {}))


def created(walk: Walk, relation: Node) -> None:
    """A RangeVar that names what a definition makes or changes."""
    walk.relation(relation, Access.DDL)
    schema, path = relation.get("schemaname"), walk.reading.namespace.search_path
    if relation.get("relpersistence") == "t" or (schema or (path[0] if path else "")).startswith("pg_temp"):
        walk.effects.add(Effect.NAMESPACE)  # from now on the name means this one


def _changes_rows(walk: Walk, tag: str, kind: Kind, node: Node, scope: Scope) -> None:
    walk.become(kind)
    walk.effects.add(Effect.WRITE)
    if node is walk.root:
        walk.returns_rows = "returningClause" in node
    if "relation" in node:
        walk.relation(node["relation"], Access.WRITE)
    if "withClause" in node:
        scope = with_clause(walk, node["withClause"], scope)
    walk.push_below(tag, node, scope, ("relation", "withClause"))


@handles("InsertStmt")
def insert(walk: Walk, node: Node, scope: Scope) -> None:
    _changes_rows(walk, "InsertStmt", Kind.INSERT, node, scope)


@handles("UpdateStmt")
def update(walk: Walk, node: Node, scope: Scope) -> None:
    judge_where(walk, node)
    _changes_rows(walk, "UpdateStmt", Kind.UPDATE, node, scope)


@handles("DeleteStmt")
def delete(walk: Walk, node: Node, scope: Scope) -> None:
    judge_where(walk, node)
    _changes_rows(walk, "DeleteStmt", Kind.DELETE, node, scope)


@handles("MergeStmt")
def merge(walk: Walk, node: Node, scope: Scope) -> None:
    _changes_rows(walk, "MergeStmt", Kind.MERGE, node, scope)
    if "returningClause" in node and walk.reading.namespace.server_version < 170000:
        walk.not_understood("a server of this version does not know MERGE … RETURNING")


@handles("TruncateStmt")
def truncate(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.TRUNCATE)
    walk.effects |= {Effect.WRITE, Effect.TABLE_LOCK}
    if node.get("restart_seqs"):
        walk.effects.add(Effect.SEQUENCE)
    for each in node.get("relations", ()):
        walk.relation(each["RangeVar"], Access.WRITE)
