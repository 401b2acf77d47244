"""What a statement does to the meaning of those behind it in the same transaction: no catalog shows it before COMMIT.

It may make code of a name that was harmless (functions, operators, casts, types, views), let a name mean another relation (DROP,
RENAME), or change which columns a relation has.
"""

from __future__ import annotations

from attrs import evolve

from rules.model import Access, Effect, Namespace, Statement

_ANYTHING = frozenset({Effect.UNKNOWN, Effect.CODE, Effect.DYNAMIC_SQL})
# No routine, operator, cast, type of its own kind or view comes of them. SelectStmt: SELECT INTO.
_OF_TABLES = frozenset(
    {"CreateStmt", "CreateTableAsStmt", "SelectStmt", "CreateSeqStmt", "AlterSeqStmt", "IndexStmt", "CommentStmt"}
    | {"CreateStatsStmt", "AlterTableStmt"}
)
_OF_NAMED_RELATIONS = frozenset({"DropStmt", "RenameStmt"})  # of others, too; then they name none
_KEEP_COLUMNS = frozenset({"IndexStmt", "CommentStmt", "CreateStatsStmt", "CreateSeqStmt", "AlterSeqStmt"})
# After them every relation has the name that it had. What is made may hide another of its name, and is known by it.
_KEEP_NAMES = _OF_TABLES | {
    "ViewStmt", "CreateFunctionStmt", "AlterFunctionStmt", "CreateTrigStmt", "DefineStmt", "CreateEnumStmt", "AlterEnumStmt",
    "CreateDomainStmt", "AlterDomainStmt", "CompositeTypeStmt", "CreateRangeStmt", "CreateCastStmt", "CreateSchemaStmt", "RuleStmt",
    "RefreshMatViewStmt", "CreateOpClassStmt", "CreateOpFamilyStmt", "CreatePolicyStmt", "AlterPolicyStmt", "AlterOwnerStmt",
}  # fmt: skip


def redefines(statement: Statement) -> bool:
    """Whether what routines, operators, types and views do may be something else after it."""
    if statement.calls_ddl or not statement.effects.isdisjoint(_ANYTHING):
        return True
    if Effect.DDL not in statement.effects or statement.root in _OF_TABLES:
        return False
    if statement.root == "CreateSchemaStmt":
        return bool(statement.relations)  # of what is made inside
    return statement.root not in _OF_NAMED_RELATIONS or not statement.relations


def renames(statement: Statement) -> bool:
    """Whether a name may mean another relation after it, which had that name before."""
    return statement.calls_ddl or (Effect.DDL in statement.effects and statement.root not in _KEEP_NAMES)


def changed(statement: Statement) -> frozenset[str]:
    """Names of relations whose columns may be others after it."""
    if Effect.DDL not in statement.effects or statement.root in _KEEP_COLUMNS:
        return frozenset()
    made = {relation.name for relation in statement.relations if relation.access is Access.DDL}
    return frozenset(made if statement.renamed_to is None else {*made, statement.renamed_to})


def after(namespace: Namespace, statement: Statement) -> Namespace:
    """The namespace of what stands behind it, until the transaction ends."""
    names = changed(statement)
    redefined, renamed = redefines(statement), renames(statement)
    if not (names or redefined or renamed):
        return namespace
    return evolve(
        namespace,
        redefined=namespace.redefined or redefined,
        renamed=namespace.renamed or renamed,
        changed=namespace.changed | names,
    )
