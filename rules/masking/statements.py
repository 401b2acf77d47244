"""A whole statement: the columns it sends to the client, and what rewriting them cannot make safe."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from pglast import ast, enums, parser

from rules.catalog import CatalogRelation
from rules.masking.copying import CopyShape, Incoming, cuttable, shape_of
from rules.masking.exchange import pseudonymised
from rules.masking.expressions import names, value
from rules.masking.firing import ROWS, fired, redefined, run, run_named, run_text
from rules.masking.follow import Follow, Node, World, isa, listed
from rules.masking.inheriting import Move, move
from rules.masking.plans import PlanFormat, format_of
from rules.masking.pseudonyms import RECOGNIZED
from rules.masking.queries import first_arm, from_item, moved, query
from rules.masking.scope import Scope, member
from rules.masking.trees import nodes
from rules.masking.values import CLEAN, Columns, Unsure, Value, union
from rules.masking.writes import events_of

__all__ = ["Followed", "follow_statement", "from_item", "query", "value"]

# They neither show nor move a value of a table, whatever they name.
INERT = (
    ast.TransactionStmt, ast.VariableSetStmt, ast.NotifyStmt, ast.ListenStmt, ast.UnlistenStmt,
    ast.LockStmt, ast.VacuumStmt, ast.DropStmt, ast.CommentStmt, ast.GrantStmt, ast.GrantRoleStmt,
    ast.ReindexStmt, ast.CheckPointStmt, ast.ClosePortalStmt, ast.DeallocateStmt, ast.DiscardStmt, ast.RefreshMatViewStmt,
    ast.ConstraintsSetStmt, ast.CreateSeqStmt, ast.AlterSeqStmt, ast.CreateRoleStmt,
    ast.AlterRoleStmt, ast.DropRoleStmt, ast.CreateEnumStmt, ast.AlterEnumStmt, ast.CreateExtensionStmt,
)  # fmt: skip


# What of the rest fires no event trigger; any other statement may.
QUIET = (
    *ROWS, ast.ExplainStmt, ast.PrepareStmt, ast.DeclareCursorStmt, ast.CopyStmt, ast.FetchStmt, ast.ExecuteStmt, ast.CallStmt,
    ast.DoStmt, ast.VariableShowStmt, ast.TransactionStmt, ast.VariableSetStmt, ast.NotifyStmt, ast.ListenStmt, ast.UnlistenStmt,
    ast.LockStmt, ast.VacuumStmt, ast.TruncateStmt, ast.CheckPointStmt, ast.ClosePortalStmt, ast.DeallocateStmt, ast.DiscardStmt,
    ast.ConstraintsSetStmt, ast.CreateRoleStmt, ast.AlterRoleStmt, ast.AlterRoleSetStmt, ast.DropRoleStmt, ast.GrantRoleStmt,
    ast.CreatedbStmt, ast.DropdbStmt, ast.AlterDatabaseStmt, ast.AlterDatabaseSetStmt, ast.AlterSystemStmt, ast.LoadStmt,
)  # fmt: skip
_CHECKS_ROWS = ("C", "V")  # ALTER DOMAIN … ADD CHECK, VALIDATE CONSTRAINT: every stored value passes through it
EVERY_WRITE = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE"})
# The catalog has none that is switched off.
SWITCHED_ON = frozenset(kind for kind in enums.AlterTableType if kind.name.startswith("AT_Enable"))
FOREIGN = (
    ast.CreateForeignTableStmt,
    ast.ImportForeignSchemaStmt,
    ast.CreateForeignServerStmt,
    ast.AlterForeignServerStmt,
    ast.CreateUserMappingStmt,
    ast.AlterUserMappingStmt,
    ast.CreateSubscriptionStmt,
)


@frozen
class Followed:
    """What became of one statement."""

    columns: Columns  # of its result, in order
    follow: Follow
    sends_rows_of_others: bool = False  # FETCH, EXECUTE: what another statement prepared
    copy: CopyShape | None = None
    incoming: Incoming | None = None
    explained: PlanFormat | None = None  # of a plan of which only the expressions can show something


def runs_as_written(tree: Node) -> bool:
    """Whether the constants of the text are used once, or kept where nobody reads them unmasked, and shown nowhere.

    The definition of a view would keep them: there pseudonyms stay what they are. EXPLAIN prints them, but not for the client.
    """
    if isa(tree, ast.ExplainStmt):
        return runs_as_written(tree.query)
    if isa(tree, ast.CreateTableAsStmt):
        return bool(tree.objtype == enums.ObjectType.OBJECT_TABLE)
    return isa(tree, (*ROWS, ast.PrepareStmt, ast.DeclareCursorStmt)) or (isa(tree, ast.CopyStmt) and not tree.is_from)


def follow_statement(world: World, follow: Follow, tree: Node) -> Followed:
    """Total over trees of the parser: what cannot be followed is cautiously said to show what it names."""
    follow.noting = runs_as_written(tree)
    run(follow, tree)
    if fires_event_triggers(tree):
        redefined(follow)
    try:
        found = statement(world, follow, tree)
    except (Unsure, RecursionError):
        found = cautious(world, follow, tree)
    if world.keeping_types:
        for name in sorted(made(tree) & world.keeping_types):
            follow.handed(f"the type {name}", mentioned(world, follow, tree))
    return found


def made(tree: Node) -> set[str]:
    """The types of which values are made, but for casts: columns of JSON and of functions that return records."""
    every = list(nodes(tree))
    cast = {id(node.typeName) for node in every if isa(node, ast.TypeCast)}
    return {node.names[-1].sval for node in every if isa(node, ast.TypeName) and id(node) not in cast}


def fires_event_triggers(tree: Node) -> bool:
    if isa(tree, ast.SelectStmt):
        return first_arm(tree).intoClause is not None
    return not isa(tree, QUIET)


def statement(world: World, follow: Follow, tree: Node) -> Followed:
    if isa(tree, ROWS):
        return Followed(follow.query(tree, Scope()), follow)
    if isa(tree, ast.ExplainStmt):
        return explained(world, follow, tree)
    if isa(tree, ast.PrepareStmt | ast.DeclareCursorStmt):
        return statement(world, follow, tree.query)
    if isa(tree, ast.CreateTableAsStmt):
        return created(follow, tree.query, tree.into.rel.relname, tree.into if runs_as_written(tree) else None)
    if isa(tree, ast.ViewStmt):
        return created(follow, tree.query, tree.view.relname)
    if isa(tree, ast.CopyStmt):
        return copied(follow, tree)
    if isa(tree, ast.FetchStmt | ast.ExecuteStmt):
        follow.value(getattr(tree, "params", None), Scope())
        return Followed(Columns((), world.marks.everything), follow, True)
    if isa(tree, ast.CallStmt):
        return Followed(Columns((), follow.value(tree.funccall, Scope())), follow)
    if isa(tree, ast.DoStmt | ast.CreateFunctionStmt):
        return coded(world, follow, tree)
    if isa(tree, ast.VariableShowStmt):
        return Followed(Columns((), CLEAN), follow)
    if isa(tree, ast.TruncateStmt):
        cascade = tree.behavior == enums.DropBehavior.DROP_CASCADE
        for each in tree.relations:
            fired(follow, each.schemaname, each.relname, frozenset({"TRUNCATE"}), cascade=cascade)
        return Followed(Columns(), follow)
    if isa(tree, INERT):
        return Followed(Columns(), follow)
    return defined(world, follow, tree)


def explained(world: World, follow: Follow, tree: Node) -> Followed:
    statement(world, follow, tree.query)  # its conditions still steer the estimates
    shown = folded(world, follow, tree.query)
    if shown.masked or not (follow.compared or isa(tree.query, ast.ExecuteStmt)):
        return Followed(Columns((("QUERY PLAN", shown),)), follow)
    # the plan prints the constants that pseudonyms were translated into, here or where the statement was prepared
    style = format_of(tree.options) if cuttable(follow.namespace.client_encoding) else None
    return Followed(Columns((("QUERY PLAN", world.marks.everything),)), follow, explained=style)


def folded(world: World, follow: Follow, tree: Node) -> Value:
    """What a plan can print: the planner runs immutable functions of constants, and one of them may read a table."""
    every = list(nodes(tree))
    tables = {node.ctename for node in every if isa(node, ast.CommonTableExpr)}
    found = [routine_called(world, node) for node in every]
    for node in every:
        if isa(node, ast.RangeVar):
            known = list(follow.candidates(node.schemaname, node.relname))
            found.extend(world.folded_in(each) for each in known)
            if not known and not (node.schemaname is None and node.relname in tables):
                found.append(world.marks.everything)  # a view that was made in this transaction
    return union(found)


def created(follow: Follow, inner: Node, name: str, into: Node = None) -> Followed:
    """`into`: of a table; a view or materialized view is followed by its definition afterwards."""
    if not isa(inner, ROWS):
        follow.find(
            "unfollowed", "hold", f"{name} would hold rows that cannot be followed, and columns are masked here"
        )
        if into is not None:
            follow.moves.extend(moved(into, Columns((), CLEAN)))
        return Followed(Columns(), follow)
    columns = follow.query(inner, Scope())
    if columns.everything().masked:
        moves = [] if into is None else moved(into, columns)
        follow.laundered(columns.everything(), f"the new relation {name}", *moves)
    return Followed(Columns(), follow)


def copied(follow: Follow, tree: Node) -> Followed:
    if tree.is_from:
        fired(follow, tree.relation.schemaname, tree.relation.relname, frozenset({"INSERT"}), rules=False)
        return Followed(Columns(), follow, incoming=copied_in(follow, tree))
    if tree.query is not None:
        columns = follow.query(tree.query, Scope())
    else:
        columns = follow.relation(tree.relation.schemaname, tree.relation.relname)
        if tree.attlist:
            wanted = [names([each])[0] for each in tree.attlist]
            by_name = dict(columns.named)
            if columns.rest is None:
                if not set(wanted) <= by_name.keys():
                    raise Unsure("a column of COPY")
                columns = Columns(tuple((name, by_name[name]) for name in wanted))
        else:
            columns = stored_columns(follow, tree.relation, columns)
    if (tree.is_program or tree.filename is not None) and columns.everything().masked:
        follow.laundered(columns.everything(), "a file of the server")
    shape, encoding = shape_of(tree.options)
    if columns.everything().masked and not cuttable(encoding or follow.namespace.client_encoding):
        # the second byte of a character may look like a delimiter there
        follow.find(
            "unfollowed", "deny", "rows in an encoding whose characters contain ASCII bytes cannot be masked in COPY"
        )
    return Followed(columns, follow, copy=shape)


def copied_in(follow: Follow, tree: Node) -> Incoming | None:
    """COPY FROM STDIN: nothing of its data is in the text."""
    if tree.is_program or tree.filename is not None:
        return None
    table = tree.relation
    columns = follow.relation(table.schemaname, table.relname)
    stored = stored_columns(follow, table, columns).named
    named = tuple(names([each])[0] for each in tree.attlist) if tree.attlist else tuple(name for name, _ in stored)
    for name in named:
        held = None if name is None else member(columns, name)
        if held is not None and pseudonymised(held) not in (None, 0, *RECOGNIZED):
            follow.find(
                "writeback",
                "hold",
                f"what is copied into {table.relname}.{name} may be a pseudonym: of its type every value is one",
            )
    marks = [
        mark
        for each in follow.candidates(table.schemaname, table.relname)
        for mark in follow.world.marks.of(each).values()
    ]
    shape, encoding = shape_of(tree.options)
    hashed = any(mark.masker == "hash" for mark in marks)
    return Incoming(shape, table.relname, tuple(name or "?" for name in named), hashed, encoding)


def stored_columns(follow: Follow, node: Node, columns: Columns) -> Columns:
    """What COPY of a whole table sends or takes: not its generated columns."""
    found = list(follow.candidates(node.schemaname, node.relname))
    if len(found) != 1 or columns.rest is not None:
        return columns
    generated = {column.name for column in found[0].columns if column.generated is not None}
    return Columns(tuple(pair for pair in columns.named if pair[0] not in generated))


def coded(world: World, follow: Follow, tree: Node) -> Followed:
    """DO and CREATE FUNCTION: a body that no lineage follows."""
    shown = CLEAN
    for node in nodes(tree):
        if isa(node, ast.String):
            shown = union([shown, world.routines.text_shows(node.sval)])
            run_text(follow, node.sval)
    made_to_write(follow, tree)
    shown = union([shown, mentioned(world, follow, tree)])
    if shown.masked:
        what = "a DO block" if isa(tree, ast.DoStmt) else "a routine"
        follow.find("source", "hold", f"the body of {what} may read {listed(shown.masked)}")
    return Followed(Columns(), follow)


def defined(world: World, follow: Follow, tree: Node) -> Followed:
    """Any other statement: a definition that names a masked column may carry its values elsewhere."""
    routines = [node.sval for node in nodes(tree) if isa(node, ast.String)]
    new = getattr(tree, "relation" if isa(tree, ast.CreateStmt) else "typevar", None)  # it holds nothing yet
    shown = union([mentioned(world, follow, tree, new), *(world.routines.shown_by_name(name) for name in routines)])
    if isa(tree, ast.RenameStmt) and tree.renameType == enums.ObjectType.OBJECT_SCHEMA:
        shown = union([shown, *(world.columns(each).everything() for each in world.in_schema(tree.subname))])
    run_named(follow, routines)
    made_to_write(follow, tree)
    if made(tree) & world.keeping_types:
        # no catalog shows yet that a row of it is checked by them as well
        follow.find("laundering", "hold", "the checks of a type in it may keep masked values")
    if isa(tree, ast.AlterDomainStmt) and tree.subtype in _CHECKS_ROWS and world.masks_types_of_users:
        follow.find("laundering", "hold", "the check of a domain is made of the masked values that are of it")
    if isa(tree, FOREIGN) or turned(tree):
        follow.find("laundering", "hold", "a foreign table can be another name of a masked one")
    if shown.masked:
        follow.find("laundering", "hold", f"a change of definitions around {listed(shown.masked)}")
        follow.moves.extend(renamed(world, follow, tree))
        follow.moves.extend(refilled(world, follow, tree))
    return Followed(Columns((), shown), follow)


def turned(tree: Node) -> bool:
    """Whether a foreign table may stand for another one from here on."""
    kinds = (enums.AlterTableType.AT_GenericOptions, enums.AlterTableType.AT_AlterColumnGenericOptions)
    return isa(tree, ast.AlterTableStmt) and any(each.subtype in kinds for each in tree.cmds or ())


def made_to_write(follow: Follow, tree: Node) -> None:
    """What a definition makes happen later, perhaps before a newer catalog shows it: in this very transaction."""
    for node in nodes(tree):
        if isa(node, ROWS) and not isa(node, ast.SelectStmt):  # of a rule, or of a routine in standard SQL
            fired(follow, node.relation.schemaname, node.relation.relname, events_of(node))
        elif isa(tree, ast.AlterTableStmt) and isa(node, ast.RangeVar):
            # foreign keys and partitions let its triggers fire by writes on other tables
            fired(follow, node.schemaname, node.relname, EVERY_WRITE, cascade=True)
        elif isa(node, ast.AlterTableCmd) and node.subtype in SWITCHED_ON:
            follow.find("laundering", "hold", "a trigger or rule that is switched on may copy masked columns")


def renamed(world: World, follow: Follow, tree: Node) -> Iterator[Move]:
    """The masked columns under the names that they will have."""
    kinds = enums.ObjectType
    schema_change = isa(tree, ast.AlterObjectSchemaStmt) and tree.relation is not None
    if not isa(tree, ast.RenameStmt) and not schema_change:
        return
    if isa(tree, ast.RenameStmt) and tree.renameType == kinds.OBJECT_SCHEMA:
        for each in world.in_schema(tree.subname):
            yield from kept(world, each, tree.newname, each.name)
        return
    if tree.relation is None:
        return
    for each in follow.candidates(tree.relation.schemaname, tree.relation.relname):
        if schema_change:
            yield from kept(world, each, tree.newschema, each.name)
        elif tree.renameType in (kinds.OBJECT_COLUMN, kinds.OBJECT_ATTRIBUTE):
            for name, held in world.columns(each).named:
                if name == tree.subname and held.masked:
                    yield move(each.schema, each.name, tree.newname, held)
        elif tree.renameType not in (
            kinds.OBJECT_TABCONSTRAINT,
            kinds.OBJECT_TRIGGER,
            kinds.OBJECT_RULE,
            kinds.OBJECT_POLICY,
        ):
            yield from kept(world, each, each.schema, tree.newname)


def refilled(world: World, follow: Follow, tree: Node) -> Iterator[Move]:
    """What ALTER TABLE computes from masked columns, or by functions that read them, into each row of another column."""
    if not isa(tree, ast.AlterTableStmt) or tree.relation is None:
        return
    for command in tree.cmds or ():
        column, terms = command.name, []
        if command.subtype == enums.AlterTableType.AT_AlterColumnType:
            terms = [command.def_.raw_default]
        elif command.subtype == enums.AlterTableType.AT_AddColumn:
            column = command.def_.colname
            terms = [each.raw_expr for each in command.def_.constraints or () if each.raw_expr is not None]
        inside = [node for term in terms if term is not None for node in nodes(term)]
        for each in follow.candidates(tree.relation.schemaname, tree.relation.relname):
            columns = dict(world.columns(each).named)
            held = columns.get(column)
            read = [names(node.fields)[-1] for node in inside if isa(node, ast.ColumnRef)]
            whole = world.columns(each).everything()
            found = union([
                *(columns.get(name, whole) if name is not None else whole for name in read),
                *(routine_called(world, node) for node in inside),
            ])  # fmt: skip
            if found.masked and not (held is not None and held.masked):
                yield move(each.schema, each.name, column, found)


def kept(world: World, relation: CatalogRelation, schema: str, name: str) -> Iterator[Move]:
    for column, held in world.columns(relation).named:
        if held.masked:
            yield move(schema, name, column, held)


def cautious(world: World, follow: Follow, tree: Node) -> Followed:
    shown = mentioned(world, follow, tree)
    if shown.masked:
        follow.find("unfollowed", "hold", f"the statement cannot be followed, and it names {listed(shown.masked)}")
    return Followed(Columns((), shown), follow)


def mentioned(world: World, follow: Follow, tree: Node, new: Node = None) -> Value:
    """All that the relations and functions named anywhere in the tree can reveal, save the relation that it makes."""
    every = list(nodes(tree))
    tables = {node.ctename for node in every if isa(node, ast.CommonTableExpr)}
    found: list[Value] = []
    for node in every:
        if node is new:
            continue
        if isa(node, ast.RangeVar):
            known = list(follow.candidates(node.schemaname, node.relname))
            if known or node.schemaname is not None or node.relname not in tables:
                found.append(follow.relation(node.schemaname, node.relname).everything())
        else:
            found.append(routine_called(world, node))
    return union(found)


def routine_called(world: World, node: Node) -> Value:
    """What the function behind a call, an operator or `row.name` can show beyond its arguments."""
    if isa(node, ast.FuncCall):
        parts = names(node.funcname)
        return world.routines.called(parts[-2] if len(parts) > 1 else None, parts[-1] or "").shows
    if isa(node, ast.A_Expr):
        behind = world.catalog.operators.get(names(node.name)[-1] or "", ())
        return union(world.routines.called(schema, function).shows for schema, function in behind)
    if isa(node, ast.ColumnRef | ast.A_Indirection):
        name = names(node.fields if isa(node, ast.ColumnRef) else node.indirection)[-1]
        called = None if name is None else world.routines.called(None, name)
        return called.shows if called is not None and called.known else CLEAN
    return CLEAN


def parsed(text: str) -> tuple[Node, ...] | None:
    """The statements of a text; None when the parser refuses it."""
    try:
        return tuple(raw.stmt for raw in parser.parse_sql(text))
    except (parser.ParseError, ValueError, RecursionError):
        return None
