"""A whole statement of MySQL: the columns it sends to the client, and what rewriting them cannot make safe."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen
from sqlglot import exp

from rules.masking.follow import listed
from rules.masking.mysql.defining import defined
from rules.masking.mysql.follow import Follow, MySqlWorld, calls_seen
from rules.masking.mysql.loading import Loading, loaded
from rules.masking.mysql.predicates import condition
from rules.masking.mysql.reading import Read, names_missing
from rules.masking.mysql.scope import Scope
from rules.masking.mysql.triggers import fired
from rules.masking.mysql.writes import delete, insert, update
from rules.masking.values import CLEAN, Columns, Unsure, Value, union
from rules.model import Access, Effect, Statement


@frozen
class Followed:
    """What became of one statement."""

    columns: Columns  # of its result, in order
    follows_names: bool = False  # EXECUTE: what another statement prepared
    harmless: frozenset[str] = frozenset()  # columns of the server's own that show none of what the rest may show
    warnings: bool = False  # rows of SHOW WARNINGS
    results: tuple[Columns, ...] = ()  # of a procedure that was followed
    several: bool = False  # its results may be more than one, and are not known one by one
    loads: Loading | None = None  # LOAD DATA LOCAL


# They neither show nor move a value of a table, whatever they name.
INERT = frozenset(
    """
    Begin StartTransaction Commit Rollback RollbackTo Savepoint ReleaseSavepoint XaStart XaBegin XaEnd XaPrepare XaCommit
    XaRollback XaRecover Deallocate Use SetRole SetPassword SetResourceGroup LockTables LockInstance UnlockTables
    UnlockInstance HandlerOpen HandlerClose Kill Flush FlushTables Reset PurgeLogs Shutdown Grant Revoke CreateUser AlterUser
    DropUser RenameUser CreateRole DropRole AlterRole TruncateTable DropTable DropView DropIndex DropDatabase DropProcedure
    DropFunction DropTrigger DropEvent DropSequence DropServer DropPackage LoadIndex CacheIndex Signal CreateDatabase
    AlterDatabase CreateSequence AlterSequence
    """.split()  # noqa: SIM905
)
# They show what the server is and what it has, no rows and no statements.
PLAIN = frozenset(
    """
    Describe Help ShowGrants ShowDatabases ShowSchemas ShowTables ShowTableStatus ShowOpenTables ShowTriggers ShowEvents
    ShowSequences ShowColumns ShowFields ShowIndex ShowIndexes ShowKeys ShowCreateTable ShowCreateView ShowCreateSequence
    ShowCreateDatabase ShowCreateSchema ShowCreateProcedure ShowCreateFunction ShowCreateTrigger ShowCreateEvent
    ShowCreatePackage ShowVariables ShowStatus ShowCount ShowEngines ShowStorageEngines ShowPlugins ShowPrivileges
    ShowCharacterSet ShowCharset ShowCollation ShowLocales ShowProcedureStatus ShowFunctionStatus ShowPackageStatus
    ShowAuthors ShowContributors ShowProcedureCode ShowFunctionCode ShowIndexStatistics ShowTableStatistics ShowLibraryStatus
    AnalyzeTable CheckTable OptimizeTable RepairTable
    """.split()  # noqa: SIM905
)
_PROCESSES = frozenset({"id", "user", "host", "db", "command", "time", "state", "progress"})
PLANS = frozenset(
    """
    id select_type table partitions type possible_keys key key_len rows r_rows filtered r_filtered
    """.split()  # noqa: SIM905
)
_CONCATENATING = frozenset({"PIPES_AS_CONCAT", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"})
_WARNINGS = frozenset({"level", "code"})
_DIAGNOSTICS = frozenset({"GET", "CURRENT", "STACKED", "DIAGNOSTICS", "CONDITION"})
_NOT_TEXT = frozenset({"NUMBER", "ROW_COUNT", "RETURNED_SQLSTATE", "MYSQL_ERRNO"})


def follow_statement(world: MySqlWorld, follow: Follow, read: Read) -> Followed:
    """Total over what the classifier understood: what cannot be followed is cautiously said to show what it names."""
    found = _understood(world, follow, read)
    if world.has_triggers and (events := _events(read)):
        brought = Value(frozenset(follow.brought))
        written = [each for each in read.statement.relations if each.access is Access.WRITE]
        shown = union(fired(follow, each.schema, each.name, events, brought) for each in written)
        if shown.masked and (found.columns.named or found.columns.rest is not None):  # RETURNING
            return evolve(found, columns=Columns((), union([shown, found.columns.everything()])))
    return found


def _events(read: Read) -> frozenset[str]:
    """Of the triggers that it fires."""
    match read.statement.root:
        case "Insert":
            return frozenset({"INSERT", "UPDATE"} if "DUPLICATE" in read.words else {"INSERT"})
        case "Replace":
            return frozenset({"INSERT", "DELETE"})
        case "LoadData":
            return frozenset({"INSERT", "DELETE"} if "REPLACE" in read.words else {"INSERT"})
        case "Update" | "Delete":
            return frozenset({read.statement.root.upper()})
        case _:
            return frozenset()


def _understood(world: MySqlWorld, follow: Follow, read: Read) -> Followed:
    try:
        _same_grammar(follow, read)
        if names_missing(read, world.marks.names):
            raise Unsure("a masked column is named where the parser has none")
        calls_seen(follow, read)
        follow.reading = read
        found = _statement(world, follow, read)
    except (Unsure, RecursionError) as error:
        follow.noting = False
        follow.compared.clear()
        follow.bound.clear()
        return cautious(world, follow, read, str(error) if isinstance(error, Unsure) else "nested too deep")
    if follow.absent:  # a newer catalog may have them; if none has, the server answers with an error
        follow.unknown |= follow.absent
        return evolve(found, columns=Columns((), world.marks.everything))
    return found


def _statement(world: MySqlWorld, follow: Follow, read: Read) -> Followed:
    statement = read.statement
    root = statement.root
    handler = ROWS.get(root)
    if handler is not None:
        (parsed,) = read.trees
        columns = handler(follow, parsed.tree, Scope())
        _into(follow, read, columns)
        return Followed(columns)
    if root in INERT:
        _expressions(follow, read)
        return Followed(Columns())
    _expressions(follow, read)
    match root:
        case _ if root in PLAIN:
            return Followed(Columns((), CLEAN))
        case "ChecksumTable":
            return Followed(Columns((), _named(follow, statement)), harmless=frozenset({"table"}))
        case "ShowProcesslist":
            return Followed(Columns((), world.marks.everything), harmless=_PROCESSES)
        case "ShowWarnings" | "ShowErrors":
            return Followed(Columns((), world.marks.everything), harmless=_WARNINGS, warnings=True)
        case "Call":
            return called(world, follow, read)
        case "Do" | "Set":
            return Followed(Columns())
        case "GetDiagnostics":
            _diagnostics(follow, read)
            return Followed(Columns())
        case "LoadData":
            return Followed(Columns(), loads=loaded(follow, read))
        case "Execute":
            return Followed(Columns((), world.marks.everything), follows_names=True, several=True)
        case _ if root.startswith("Show"):
            return Followed(Columns((), world.marks.everything))
        case "HandlerRead":
            return handler_read(world, follow)
        case "ExplainConnection":
            return Followed(Columns((), world.marks.everything), harmless=PLANS)
        case _ if root.startswith(("Create", "Alter", "Rename", "Import")):
            defined(world, follow, read)
            return Followed(Columns())
    raise Unsure(f"a {root}")


def _query(follow: Follow, tree: exp.Expr, scope: Scope) -> Columns:
    return follow.query(tree, scope)


ROWS: dict[str, Callable[[Follow, exp.Expr, Scope], Columns]] = {
    "Select": _query,
    "Insert": insert,  # type: ignore[dict-item]  # the classifier compared the root
    "Replace": insert,  # type: ignore[dict-item]
    "Update": update,  # type: ignore[dict-item]
    "Delete": delete,  # type: ignore[dict-item]
}


def _same_grammar(follow: Follow, read: Read) -> None:
    """Settings under which the server reads operators in another way than the parser. Raises Unsure."""
    modes = {mode.upper() for mode in follow.namespace.sql_mode}
    if modes & _CONCATENATING and "||" in read.words:
        raise Unsure("|| that concatenates")
    if "HIGH_NOT_PRECEDENCE" in modes and "NOT" in read.words:
        raise Unsure("NOT before a comparison")


def _into(follow: Follow, read: Read, columns: Columns) -> None:
    """INTO OUTFILE, INTO @variable: the parser does not see them."""
    shown = columns.everything()
    if Effect.FILE_WRITE in read.statement.effects:
        follow.laundered(shown, "a file of the server")
    if "INTO" in read.words and any(setting.name.startswith("@") for setting in read.statement.settings):
        follow.laundered(shown, "a user variable")


def _expressions(follow: Follow, read: Read) -> Value:
    """Expressions outside of queries: values of SET, arguments of CALL, conditions of SHOW, SET of LOAD DATA."""
    found = CLEAN
    keeps = read.statement.root in ("Set", "Call", "LoadData", "SetStatement")
    for parsed in read.trees:
        if not parsed.bare:
            continue
        inside = Scope(parameters=CLEAN)  # names are columns of what the server shows, or of the file's table
        if not keeps and read.statement.root != "Do":
            condition(follow, parsed.tree.expressions, inside, "a WHERE")
        value = union([follow.value(each, inside) for each in parsed.tree.expressions])
        if keeps:
            follow.laundered(value, "a variable, an argument or a table")
        found = union([found, value])
    return found


def _named(follow: Follow, statement: Statement) -> Value:
    return union(follow.relation(each.schema, each.name).everything() for each in statement.relations)


def called(world: MySqlWorld, follow: Follow, read: Read) -> Followed:
    function = read.statement.functions[-1]  # those of its arguments stand before it
    schema = function.schema if function.schema is not None else read.database
    found = world.routines.called(schema, function.name, "p", follow.namespace)
    if found.shows.masked:
        if found.keeps or any(token.kind == "variable" for token in read.tokens):
            follow.find(
                "source", "hold", f"{function.name} may put {listed(found.shows.masked)} where it can be read later"
            )
        if found.asks:
            follow.asks(function.name)
    return Followed(Columns((), follow.noted(found.shows)), results=found.results, several=True)


def handler_read(world: MySqlWorld, follow: Follow) -> Followed:
    """The name may be an alias that an earlier HANDLER … OPEN gave to any table."""
    if follow.predicates != "allow":
        follow.find(
            "predicate", "hold", "HANDLER … READ picks rows by keys and conditions of a table that is not known"
        )
    return Followed(Columns((), world.marks.everything))


def _diagnostics(follow: Follow, read: Read) -> None:
    """GET DIAGNOSTICS @a = MESSAGE_TEXT puts an error's text where no mask covers it."""
    items = {token.word for token in read.tokens if token.kind == "name"} - _DIAGNOSTICS
    if not items <= _NOT_TEXT:
        follow.find("source", "hold", "texts of errors can hold values of masked columns")


def cautious(world: MySqlWorld, follow: Follow, read: Read, why: str) -> Followed:
    shown = [_named(follow, read.statement)]
    for function in read.statement.functions:
        if not follow.knows(function.name.upper()) or function.schema is not None:
            routine = world.routines.called(function.schema, function.name, "f", follow.namespace)
            shown.append(routine.shows)
            if routine.asks:
                follow.asks(function.name)
    found = union(shown)
    if read.statement.root not in ROWS:  # what else it may name was not collected for this purpose
        found = world.marks.everything
    if found.masked:
        follow.find(
            "unfollowed", "hold", f"the statement cannot be followed ({why}), and it names {listed(found.masked)}"
        )
        found = world.marks.everything
    return Followed(Columns((), found), several=True)
