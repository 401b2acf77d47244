"""Statements around data and definitions: settings, transactions, names, COPY, EXPLAIN, locks, messages, code."""

from __future__ import annotations

from rules.classify.postgres.bodies import code_of_do
from rules.classify.postgres.queries import created, created_by_query
from rules.classify.postgres.settings import ALL_SETTINGS, setting_effects, settings_of
from rules.classify.postgres.tree import Node, constant, options
from rules.classify.postgres.walk import Scope, TransactionWord, Walk, handles
from rules.model import Access, Effect, Kind, NameEffect, Setting

# -- settings ---------------------------------------------------------------------------------------------------------


@handles("VariableSetStmt")
def variable_set(walk: Walk, node: Node, scope: Scope) -> None:
    if node is not walk.root:  # CREATE FUNCTION … SET, ALTER ROLE … SET: nothing of this session changes
        return
    walk.become(Kind.SET)
    walk.literal = True
    walk.settings += settings_of(node)
    for setting in walk.settings:
        walk.effects |= ALL_SETTINGS if setting.name == "all" else setting_effects(setting.name)
    walk.effects.add(Effect.SETTING)
    walk.push_below("VariableSetStmt", node, scope)


@handles("AlterSystemStmt")
def alter_system(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.SET)
    _lasting(walk, node)
    walk.effects |= {Effect.SETTING, Effect.ADMIN}


@handles("AlterRoleSetStmt")
def alter_role_set(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.GRANT)
    _lasting(walk, node)
    walk.effects |= {Effect.SETTING, Effect.GRANT}


@handles("AlterDatabaseSetStmt")
def alter_database_set(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.DDL)
    _lasting(walk, node)
    walk.effects |= {Effect.SETTING, Effect.DDL}


def _lasting(walk: Walk, node: Node) -> None:
    """Settings of sessions to come."""
    walk.literal = True
    for setting in settings_of(node.get("setstmt", {})):
        walk.settings.append(Setting(setting.name, setting.value, "persist"))
        walk.effects |= setting_effects(setting.name) & {Effect.PROGRAM, Effect.ADMIN, Effect.ROLE}


@handles("VariableShowStmt")
def variable_show(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.become(Kind.SHOW)
    walk.returns_rows = True


@handles("DiscardStmt")
def discard(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.UTILITY)
    match node.get("target"):
        case "DISCARD_ALL":
            walk.effects |= ALL_SETTINGS | {Effect.ROLE, Effect.ADVISORY_LOCK}
            walk.settings += [Setting("all"), Setting("session_authorization")]
            walk.names += [NameEffect("discard"), NameEffect("close")]
        case "DISCARD_TEMP":
            walk.effects.add(Effect.NAMESPACE)
        case _:
            pass


@handles("ConstraintsSetStmt")
def constraints_set(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.SET)
    walk.effects.add(Effect.SETTING)
    walk.settings.append(Setting("constraints", "deferred" if node.get("deferred") else "immediate", "local"))


# -- transactions -----------------------------------------------------------------------------------------------------

_TRANSACTIONS: dict[str, TransactionWord] = {
    "TRANS_STMT_BEGIN": "begin",
    "TRANS_STMT_START": "begin",
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint",
    "TRANS_STMT_RELEASE": "release",
    "TRANS_STMT_ROLLBACK_TO": "rollback_to",
    "TRANS_STMT_PREPARE": "commit",  # the session is outside of it afterwards
}


@handles("TransactionStmt")
def transaction(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.TRANSACTION)
    walk.effects.add(Effect.TRANSACTION)
    walk.literal = True
    kind = node.get("kind", "TRANS_STMT_BEGIN")
    walk.transaction = _TRANSACTIONS.get(kind)
    if walk.transaction == "begin":
        for name, option in options(node):
            if name == "transaction_read_only" and constant(option.get("arg", {})) in ("0", "false"):
                walk.transaction = "begin_write"
    if kind in ("TRANS_STMT_PREPARE", "TRANS_STMT_COMMIT_PREPARED", "TRANS_STMT_ROLLBACK_PREPARED"):
        walk.effects.add(Effect.TWO_PHASE)
    if kind == "TRANS_STMT_COMMIT_PREPARED":
        walk.effects |= {Effect.WRITE, Effect.DDL}  # whatever was prepared, definitions too


# -- names of statements and cursors ----------------------------------------------------------------------------------


@handles("ExecuteStmt")
def execute(walk: Walk, node: Node, scope: Scope) -> None:
    if node is walk.root:
        walk.become(Kind.EXECUTE)
        walk.returns_rows = True
    walk.names.append(NameEffect("execute", node.get("name", "")))
    walk.push_below("ExecuteStmt", node, scope)


@handles("DeallocateStmt")
def deallocate(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.UTILITY)
    walk.names.append(NameEffect("deallocate", None if node.get("isall") or "name" not in node else node["name"]))


@handles("FetchStmt")
def fetch(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.EXECUTE)
    walk.returns_rows = not node.get("ismove")
    walk.names.append(NameEffect("fetch", node.get("portalname", "")))


@handles("ClosePortalStmt")
def close_portal(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.UTILITY)
    walk.names.append(NameEffect("close", node.get("portalname")))


# -- COPY -------------------------------------------------------------------------------------------------------------


@handles("CopyStmt")
def copy(walk: Walk, node: Node, scope: Scope) -> None:
    """Its query, if it has one, was classified by itself; `statements.with_inner` adds that."""
    walk.become(Kind.COPY)
    incoming = bool(node.get("is_from"))
    walk.effects.add(Effect.WRITE if incoming else Effect.READ)
    if "relation" in node:
        walk.relation(node["relation"], Access.WRITE if incoming else Access.READ)
    if node.get("is_program"):
        walk.effects.add(Effect.PROGRAM)
    elif "filename" in node:
        walk.effects.add(Effect.FILE_READ if incoming else Effect.FILE_WRITE)
    walk.push_below("CopyStmt", node, scope, ("relation", "query"))


# -- code -------------------------------------------------------------------------------------------------------------


@handles("CallStmt")
def call(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.CALL)
    walk.returns_rows = True
    walk.push_below("CallStmt", node, scope)


@handles("DoStmt")
def do(walk: Walk, node: Node, _scope: Scope) -> None:
    """The body is code that may build its statements as it runs; what can be seen in it is added by `statements`."""
    walk.become(Kind.DO)
    walk.literal = True
    walk.effects.add(Effect.CODE)
    language, body = "plpgsql", None
    for name, option in options(node, "args"):
        if name == "language":
            language = (constant(option.get("arg", {})) or "").lower()
        elif name == "as":
            body = constant(option.get("arg", {}))
    walk.effects |= code_of_do(language, body or "", walk.reading.routines)


# -- locks, messages, upkeep ------------------------------------------------------------------------------------------


_ACCESS_SHARE = 1


@handles("LockStmt")
def lock(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.LOCK)
    # ACCESS SHARE, the first mode, is what every SELECT takes
    walk.effects.add(Effect.READ if node.get("mode") == _ACCESS_SHARE else Effect.TABLE_LOCK)
    walk.push_below("LockStmt", node, scope)


@handles("NotifyStmt")
def notify(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.become(Kind.NOTIFY)
    walk.effects.add(Effect.NOTIFY)


@handles("ListenStmt", "UnlistenStmt")
def listen(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.become(Kind.LISTEN)


@handles("LoadStmt")
def load(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.become(Kind.UTILITY)
    walk.effects.add(Effect.PROGRAM)


@handles("CheckPointStmt")
def checkpoint(walk: Walk, _node: Node, _scope: Scope) -> None:
    walk.become(Kind.MAINTENANCE)
    walk.effects.add(Effect.ADMIN)


@handles("VacuumStmt")
def vacuum(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.MAINTENANCE)
    walk.effects.add(Effect.WRITE)
    if node.get("is_vacuumcmd"):
        walk.effects.add(Effect.TABLE_LOCK)
    for each in node.get("rels", ()):
        if "relation" in (found := each.get("VacuumRelation", {})):
            walk.relation(found["relation"], Access.WRITE)


@handles("ClusterStmt", "ReindexStmt")
def rewrite(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.MAINTENANCE)
    walk.effects |= {Effect.WRITE, Effect.TABLE_LOCK}
    if "relation" in node:
        walk.relation(node["relation"], Access.WRITE)


@handles("RefreshMatViewStmt")
def refresh(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.MAINTENANCE)
    walk.effects |= {Effect.WRITE, Effect.TABLE_LOCK}
    if "relation" in node:
        walk.relation(node["relation"], Access.WRITE)


@handles("CreateTableAsStmt")
def create_table_as(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    created_by_query(walk, node.get("into", {}))
    walk.push_below("CreateTableAsStmt", node, scope)


@handles("ViewStmt")
def view(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    created(walk, node.get("view", {}))
    if walk.reading.namespace.temporary:
        walk.effects.add(
            Effect.NAMESPACE
        )  # a view of a temporary table is a temporary view, though nothing in it says so
    walk.push_below("ViewStmt", node, scope, ("view",))
