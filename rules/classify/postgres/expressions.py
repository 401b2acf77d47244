"""Expressions, and everything else that stands inside a statement and does nothing by itself but may hide what does.

`BELOW` and `NOTHING` name their node types one by one: a type that a newer parser adds is in none of the lists, so it makes its
statement opaque until somebody has looked at it.
"""

from __future__ import annotations

import re

from rules.classify.postgres.settings import NOT_CONSTANT, folded, setting_effects
from rules.classify.postgres.tree import Node, constant, same, strings
from rules.classify.postgres.walk import HANDLERS, Scope, Walk, below, handles, nothing, planner_only, wrapped_name
from rules.model import Access, Effect, Setting

# Only what stands below them counts.
BELOW = (
    "A_ArrayExpr", "A_Indices", "AccessPriv", "AlterTableCmd", "ATAlterConstraint", "BoolExpr", "BooleanTest", "CTECycleClause",
    "CTESearchClause", "CaseWhen", "CoalesceExpr", "CollateClause", "ColumnDef", "Constraint", "CreateOpClassItem", "DefElem",
    "FunctionParameter", "GroupingFunc", "GroupingSet", "IndexElem", "InferClause",
    "JsonAggConstructor", "JsonArgument", "JsonArrayAgg", "JsonArrayConstructor", "JsonArrayQueryConstructor", "JsonBehavior",
    "JsonFuncExpr", "JsonIsPredicate", "JsonKeyValue", "JsonObjectAgg", "JsonObjectConstructor", "JsonOutput",
    "JsonParseExpr", "JsonReturning", "JsonScalarExpr", "JsonSerializeExpr", "JsonTable", "JsonTableColumn",
    "JsonTablePathSpec", "JsonValueExpr", "List", "MergeAction", "MergeSupportFunc", "MergeWhenClause", "MinMaxExpr",
    "MultiAssignRef", "NamedArgExpr", "NullTest", "ObjectWithArgs", "OnConflictClause", "PartitionBoundSpec", "PartitionElem",
    "PartitionRangeDatum", "PartitionSpec", "PublicationObjSpec", "PublicationTable", "RangeFunction", "RangeSubselect",
    "RangeTableFunc", "RangeTableFuncCol", "ResTarget", "ReturnStmt", "ReturningClause", "ReturningOption", "RowExpr", "SortBy",
    "StatsElem", "TableLikeClause", "VacuumRelation", "WindowDef", "XmlExpr", "XmlSerialize",
)  # fmt: skip

# Leaves.
NOTHING = (
    "A_Star", "Alias", "BitString", "Boolean", "CurrentOfExpr", "Float", "Integer", "JsonFormat", "ParamRef",
    "ReplicaIdentityStmt", "RoleSpec", "SQLValueFunction", "SetToDefault", "String", "TriggerTransition",
)  # fmt: skip

# The server's analysis and planner make these; the grammar does not.
PLANNER_ONLY = (
    "Aggref", "AlternativeSubPlan", "ArrayCoerceExpr", "ArrayExpr", "CallContext", "CaseTestExpr", "CoerceToDomain",
    "CoerceToDomainValue", "CoerceViaIO", "CollateExpr", "ConvertRowtypeExpr", "Expr", "FieldSelect", "FieldStore", "FromExpr",
    "FuncExpr", "InferenceElem", "InlineCodeBlock", "JsonConstructorExpr", "JsonExpr", "Node",
    "OnConflictExpr", "OpExpr", "PLAssignStmt", "Param", "Query", "RTEPermissionInfo", "RangeTblEntry", "RangeTblFunction",
    "RangeTblRef", "RawStmt", "RelabelType", "ReturningExpr", "RowCompareExpr", "RowMarkClause", "ScalarArrayOpExpr",
    "SetOperationStmt", "SortGroupClause", "SubPlan", "SubscriptingRef", "TableFunc", "TableSampleClause", "TargetEntry",
    "ValUnion", "Var", "WindowClause", "WindowFunc", "WindowFuncRunCondition", "WithCheckOption",
)  # fmt: skip

for _tag in BELOW:
    HANDLERS[_tag] = below(_tag)
for _tag in NOTHING:
    HANDLERS[_tag] = nothing
for _tag in PLANNER_ONLY:
    HANDLERS[_tag] = planner_only(_tag)

# Before PostgreSQL 16 these numbers end after their digits, and what follows is read as a name.
# A sign is part of a number's place; what stands between the two may be a comment with anything in it.
_NEW_NUMBER = re.compile(rb"(?:-\s*+)?+(?:0[xXoObB]|[0-9.eE+-]*[0-9]_)|-\s*+[^0-9.\s]")
_NUMBERS_SINCE = 160000


@handles("A_Const")
def a_const(walk: Walk, node: Node, _scope: Scope) -> None:
    if walk.reading.namespace.server_version >= _NUMBERS_SINCE or not ("ival" in node or "fval" in node):
        return
    if _NEW_NUMBER.match(walk.reading.raw, node.get("location", 0)) is not None:
        walk.not_understood("a server of this version reads such a number as something else")


@handles("ColumnRef")
def column_ref(walk: Walk, node: Node, _scope: Scope) -> None:
    """`t.f` calls the function f on the row when t has no column f: a call that does not look like one."""
    fields = node.get("fields", ())
    if len(fields) > 1 and (last := fields[-1].get("String")) is not None:
        walk.call(None, last.get("sval", ""), node.get("location", -1), shown=False, notation=True)
        walk.convert(last.get("sval", ""))


@handles("A_Indirection")
def a_indirection(walk: Walk, node: Node, scope: Scope) -> None:
    """`(value).f` likewise: `('/etc/passwd').pg_read_file`."""
    for step in node.get("indirection", ()):
        if (name := step.get("String")) is not None:
            walk.call(None, name.get("sval", ""), -1, shown=False, notation=True)
            walk.convert(name.get("sval", ""))
    walk.push_below("A_Indirection", node, scope)


@handles("FuncCall")
def func_call(walk: Walk, node: Node, scope: Scope) -> None:
    schema, name = wrapped_name(node.get("funcname", []))
    version = walk.reading.namespace.server_version
    written = node.get("funcformat") != "COERCE_SQL_SYNTAX"  # otherwise LIKE … ESCAPE, EXTRACT, TRIM and such
    if not written and name == "system_user" and version < 160000:
        walk.not_understood("a server of this version reads SYSTEM_USER as a column")
    if written and name == "json_object" and schema == "pg_catalog" and version < 160000:
        schema = None  # the parser completes it, an older server looks it up
    walk.call(schema, name, node.get("location", -1), shown=written)
    if name == "set_config":
        _set_config(walk, node.get("args", []))
    walk.push_below("FuncCall", node, scope, ("funcname",))


_NAME = {"ColumnRef": {"fields": [{"String": {"sval": "name"}}]}}


def _set_config(walk: Walk, arguments: list[Node]) -> None:
    """SET by function. Without a constant name it may be any setting."""
    walk.literal = True
    by_name = any("NamedArgExpr" in each for each in arguments)
    name = None
    if len(arguments) == 3 and not by_name:
        name = constant(arguments[0])
        if walk.setting_name is not None and same(arguments[0], _NAME):
            name = walk.setting_name
    if name is None:
        walk.effects |= NOT_CONSTANT
        return
    local = constant(arguments[2])
    setting = Setting(folded(name), constant(arguments[1]), "local" if local in ("true", "t", "1") else "session")
    walk.settings.append(setting)
    walk.effects |= setting_effects(setting.name)


@handles("A_Expr")
def a_expr(walk: Walk, node: Node, scope: Scope) -> None:
    name = strings(node.get("name", []))
    match node.get("kind"):
        case "AEXPR_BETWEEN" | "AEXPR_NOT_BETWEEN" | "AEXPR_BETWEEN_SYM" | "AEXPR_NOT_BETWEEN_SYM":
            _operators(walk, None, ">=", "<=", ">", "<")
        case _:
            if name:
                _operators(walk, name[-2] if len(name) > 1 else None, name[-1])
    walk.push_below("A_Expr", node, scope, ("name",))


def _operators(walk: Walk, schema: str | None, *symbols: str) -> None:
    for symbol in symbols:
        behind = walk.reading.routines.operator(schema, symbol)
        if behind is None:
            walk.effects.add(Effect.UNKNOWN)
            walk.planned.add(Effect.UNKNOWN)
        else:
            for place, function in behind:
                walk.call(place, function, -1, shown=False)


@handles("SubLink")
def sub_link(walk: Walk, node: Node, scope: Scope) -> None:
    name = strings(node.get("operName", []))
    if name:
        _operators(walk, name[-2] if len(name) > 1 else None, name[-1])
    elif node.get("testexpr"):
        _operators(walk, None, "=")
    walk.push_below("SubLink", node, scope, ("operName",))


@handles("CaseExpr")
def case_expr(walk: Walk, node: Node, scope: Scope) -> None:
    if "arg" in node and walk.reading.routines.own_operators:
        _operators(walk, None, "=")
    walk.push_below("CaseExpr", node, scope)


@handles("JoinExpr")
def join_expr(walk: Walk, node: Node, scope: Scope) -> None:
    if ("usingClause" in node or node.get("isNatural")) and walk.reading.routines.own_operators:
        _operators(walk, None, "=")
    walk.push_below("JoinExpr", node, scope)


@handles("TypeCast")
def type_cast(walk: Walk, node: Node, scope: Scope) -> None:
    walk.push_below("TypeCast", node, scope)


@handles("TypeName")
def type_name(walk: Walk, node: Node, scope: Scope) -> None:
    """A cast to a type of users runs the checks of its domains; one to any type, a function that users made the cast of."""
    _, name = wrapped_name(node.get("names", []))
    walk.convert(name)
    walk.push_below("TypeName", node, scope)


@handles("RangeTableSample")
def range_table_sample(walk: Walk, node: Node, scope: Scope) -> None:
    walk.call(*wrapped_name(node.get("method", [])), node.get("location", -1), shown=False)
    walk.push_below("RangeTableSample", node, scope, ("method",))


@handles("RangeVar")
def range_var(walk: Walk, node: Node, scope: Scope) -> None:
    if "schemaname" not in node and node.get("relname") in scope:
        return
    walk.relation(node, Access.READ)


@handles("LockingClause")
def locking_clause(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.effects.add(Effect.ROW_LOCK)


@handles("IntoClause")
def into_clause(walk: Walk, node: Node, scope: Scope) -> None:
    """The new relation itself was noted by the statement that makes it."""
    walk.push_below("IntoClause", node, scope, ("rel",))
