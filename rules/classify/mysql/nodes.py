"""Node types of sqlglot's trees: those that may stand in a query or a change of rows, and those that may not.

Calls (`exp.Func`) are not listed: what a call does is decided by its name in the text, not by the node that the parser
makes of it. A test holds both lists against the classes that sqlglot has; one that is in neither stops the statement.
"""

from __future__ import annotations

from sqlglot import exp

from rules.classify.mysql.words import word_set

UNDERSTOOD: frozenset[type[exp.Expr]] = frozenset(
    getattr(exp, name)
    for name in word_set(
        """
        Add Alias All Any AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr
        BitwiseRightShift BitwiseXor Boolean CTE CharacterSet Column DPipe DataType DataTypeParam Delete
        Distinct Div Dot EQ Escape Except Fetch FormatJson From GT GTE Group Having HexString Identifier
        IgnoreNulls In Insert IntDiv Intersect Interval IntervalSpan Introducer Is JSON JSONColumnDef
        JSONKeyValue JSONPath JSONPathKey JSONPathRoot JSONPathSubscript JSONPathWildcard JSONPathRecursive
        JSONPathSlice JSONPathSelector JSONPathUnion JSONPathFilter JSONPathScript JSONSchema JSONValue Join LT
        LTE Lateral Like Limit LimitOptions Literal Mod Mul NEQ National Neg Not Null NullSafeEQ Offset
        OnCondition OnConflict Order Ordered Parameter Paren Partition Placeholder PropertyEQ RespectNulls
        Returning Rollup Schema Select SessionParameter Star Sub Subquery Table TableAlias Tuple Union Update
        Values Var Where Window WindowSpec With WithinGroup NestedJSONSelect
        """
    )
)

REFUSED: frozenset[str] = frozenset([])
"""Names of node types that no query of MySQL or MariaDB needs, looked at one by one."""
