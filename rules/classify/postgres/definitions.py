"""Definitions and rights: CREATE, ALTER, DROP, GRANT and their kin."""

from __future__ import annotations

from rules.classify.postgres.queries import created
from rules.classify.postgres.tree import Node, constant, options, strings
from rules.classify.postgres.walk import HANDLERS, Handler, Scope, Walk, handles
from rules.model import Access, Effect, Kind

_D = frozenset({Effect.DDL})
_G = frozenset({Effect.GRANT})
_DG = _D | _G
_NETWORK = _D | {Effect.NETWORK}

# Node type → (kind, effects, fields that name the relation which is made or changed). What else it names is read.
PLAIN: dict[str, tuple[Kind, frozenset[Effect], tuple[str, ...]]] = {
    "AlterCollationStmt": (Kind.DDL, _D, ()),
    "AlterDatabaseRefreshCollStmt": (Kind.DDL, _D, ()),
    "AlterDatabaseStmt": (Kind.DDL, _D, ()),
    "AlterDefaultPrivilegesStmt": (Kind.GRANT, _G, ()),
    "AlterDomainStmt": (Kind.DDL, _D, ()),
    "AlterEnumStmt": (Kind.DDL, _D, ()),
    "AlterEventTrigStmt": (Kind.DDL, _D | {Effect.ADMIN}, ()),
    "AlterExtensionContentsStmt": (Kind.DDL, _D, ()),
    "AlterExtensionStmt": (Kind.DDL, _D | {Effect.CODE}, ()),
    "AlterFdwStmt": (Kind.DDL, _NETWORK, ()),
    "AlterForeignServerStmt": (Kind.DDL, _NETWORK, ()),
    "AlterObjectDependsStmt": (Kind.DDL, _D, ("relation",)),
    "AlterObjectSchemaStmt": (Kind.DDL, _D, ("relation",)),
    "AlterOpFamilyStmt": (Kind.DDL, _D, ()),
    "AlterOperatorStmt": (Kind.DDL, _D, ()),
    "AlterOwnerStmt": (Kind.DDL, _DG, ("relation",)),
    "AlterPolicyStmt": (Kind.DDL, _DG, ("table",)),
    "AlterPublicationStmt": (Kind.DDL, _D, ()),
    "AlterRoleStmt": (Kind.GRANT, _G, ()),
    "AlterSeqStmt": (Kind.DDL, _D, ("sequence",)),
    "AlterStatsStmt": (Kind.DDL, _D, ()),
    "AlterSubscriptionStmt": (Kind.DDL, _NETWORK, ()),
    "AlterTSConfigurationStmt": (Kind.DDL, _D, ()),
    "AlterTSDictionaryStmt": (Kind.DDL, _D, ()),
    "AlterTableMoveAllStmt": (Kind.DDL, _D, ()),
    "AlterTableSpaceOptionsStmt": (Kind.DDL, _D, ()),
    "AlterTypeStmt": (Kind.DDL, _D, ()),
    "AlterUserMappingStmt": (Kind.DDL, _NETWORK | _G, ()),
    "CompositeTypeStmt": (Kind.DDL, _D, ("typevar",)),
    "CreateAmStmt": (Kind.DDL, _D, ()),
    "CreateCastStmt": (Kind.DDL, _D, ()),
    "CreateConversionStmt": (Kind.DDL, _D, ()),
    "CreateDomainStmt": (Kind.DDL, _D, ()),
    "CreateEnumStmt": (Kind.DDL, _D, ()),
    "CreateEventTrigStmt": (Kind.DDL, _D | {Effect.ADMIN}, ()),
    "CreateExtensionStmt": (Kind.DDL, _D | {Effect.CODE}, ()),
    "CreateFdwStmt": (Kind.DDL, _NETWORK, ()),
    "CreateForeignServerStmt": (Kind.DDL, _NETWORK, ()),
    "CreateOpClassStmt": (Kind.DDL, _D, ()),
    "CreateOpFamilyStmt": (Kind.DDL, _D, ()),
    "CreatePLangStmt": (Kind.DDL, _D | {Effect.PROGRAM}, ()),
    "CreatePolicyStmt": (Kind.DDL, _DG, ("table",)),
    "CreatePublicationStmt": (Kind.DDL, _D, ()),
    "CreateRangeStmt": (Kind.DDL, _D, ()),
    "CreateRoleStmt": (Kind.GRANT, _G, ()),
    "CreateSeqStmt": (Kind.DDL, _D, ("sequence",)),
    "CreateStatsStmt": (Kind.DDL, _D, ()),
    "CreateSubscriptionStmt": (Kind.DDL, _NETWORK, ()),
    "CreateTableSpaceStmt": (Kind.DDL, _D | {Effect.FILE_WRITE}, ()),
    "CreateTransformStmt": (Kind.DDL, _D, ()),
    "CreateUserMappingStmt": (Kind.DDL, _NETWORK | _G, ()),
    "CreatedbStmt": (Kind.DDL, _D, ()),
    "DefineStmt": (Kind.DDL, _D, ()),
    "DropOwnedStmt": (Kind.DDL, _DG, ()),
    "DropRoleStmt": (Kind.GRANT, _G, ()),
    "DropSubscriptionStmt": (Kind.DDL, _NETWORK, ()),
    "DropTableSpaceStmt": (Kind.DDL, _D | {Effect.FILE_WRITE}, ()),
    "DropUserMappingStmt": (Kind.DDL, _DG, ()),
    "DropdbStmt": (Kind.DDL, _D, ()),
    "GrantRoleStmt": (Kind.GRANT, _G, ()),
    "ImportForeignSchemaStmt": (Kind.DDL, _NETWORK, ()),
    "IndexStmt": (Kind.DDL, _D, ("relation",)),
    "PartitionCmd": (Kind.DDL, _D, ("name",)),
    "ReassignOwnedStmt": (Kind.DDL, _DG, ()),
    "RuleStmt": (Kind.DDL, _D, ("relation",)),
}


def _plain(tag: str, kind: Kind, effects: frozenset[Effect], targets: tuple[str, ...]) -> Handler:
    def define(walk: Walk, node: Node, scope: Scope) -> None:
        walk.become(kind)
        walk.effects |= effects
        for target in targets:
            if target in node:
                created(walk, node[target])
        walk.push_below(tag, node, scope, targets)

    return define


for _tag, (_kind, _effects, _targets) in PLAIN.items():
    HANDLERS[_tag] = _plain(_tag, _kind, _effects, _targets)


@handles("CreateStmt")
def create_table(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    created(walk, node.get("relation", {}))
    for parent in node.get("inhRelations", ()):  # INHERITS, PARTITION OF: the parent's rows change with it
        if "RangeVar" in parent:
            walk.relation(parent["RangeVar"], Access.DDL)
    walk.push_below("CreateStmt", node, scope, ("relation", "inhRelations"))


@handles("CreateForeignTableStmt")
def create_foreign_table(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects |= _NETWORK
    _outside(walk, node)
    walk.push_below("CreateForeignTableStmt", node, scope)


def _outside(walk: Walk, node: Node) -> None:
    """Options of file_fdw: a table that is a file, or the output of a program, of the server's host."""
    walk.literal = True
    for name, _ in options(node):
        if name == "program":
            walk.effects.add(Effect.PROGRAM)
        elif name == "filename":
            walk.effects.add(Effect.FILE_READ)


@handles("CreateSchemaStmt")
def create_schema(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects |= _DG if "authrole" in node else _D
    walk.push_below("CreateSchemaStmt", node, scope)


_RIGHTS = frozenset(
    {
        "AT_ChangeOwner", "AT_EnableRowSecurity", "AT_DisableRowSecurity", "AT_ForceRowSecurity", "AT_NoForceRowSecurity",
    }
)  # fmt: skip


@handles("AlterTableStmt")
def alter_table(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    walk.relation(node.get("relation", {}), Access.DDL)
    for each in node.get("cmds", ()):
        command = each.get("AlterTableCmd", {})
        if command.get("subtype") in _RIGHTS:
            walk.effects.add(Effect.GRANT)
        if command.get("subtype") == "AT_GenericOptions":
            _outside(walk, {"options": command.get("def", {}).get("List", {}).get("items", [])})
    walk.push_below("AlterTableStmt", node, scope, ("relation",))


@handles("RenameStmt")
def rename(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    if node.get("renameType") == "OBJECT_ROLE":
        walk.kind = Kind.GRANT if node is walk.root else walk.kind
        walk.effects.add(Effect.GRANT)
    if "relation" in node:
        relation = node["relation"]
        walk.relation(relation, Access.DDL)
        walk.renamed_to = node.get("newname")
        temporary = (relation.get("schemaname") or "").startswith("pg_temp")
        if temporary or relation.get("relname") in walk.reading.namespace.temporary:
            walk.effects.add(Effect.NAMESPACE)  # from now on the new name means the temporary one
            walk.name_relation(relation.get("schemaname"), node.get("newname", ""), Access.DDL, -1)
    walk.push_below("RenameStmt", node, scope, ("relation",))


_RELATIONS = frozenset(
    {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE", "OBJECT_INDEX", "OBJECT_SEQUENCE"}
)
_ON_RELATIONS = frozenset({"OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_POLICY", "OBJECT_TABCONSTRAINT", "OBJECT_COLUMN"})


@handles("DropStmt")
def drop(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects |= _DG if node.get("removeType") == "OBJECT_POLICY" else _D
    for each in node.get("objects", ()):
        _object(walk, node.get("removeType", ""), each)


@handles("CommentStmt")
def comment(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    _object(walk, node.get("objtype", ""), node.get("object", {}))


@handles("SecLabelStmt")
def security_label(walk: Walk, node: Node, _scope: Scope) -> None:
    walk.become(Kind.GRANT)
    walk.effects |= _G
    _object(walk, node.get("objtype", ""), node.get("object", {}))


def _object(walk: Walk, kind: str, item: Node) -> None:
    parts = strings(item.get("List", {}).get("items", []))
    if kind in _ON_RELATIONS:
        parts = parts[:-1]
    elif kind not in _RELATIONS:
        return
    if parts:
        schema = parts[-2] if len(parts) > 1 else None
        walk.name_relation(schema, parts[-1], Access.DDL, -1, parts[-3] if len(parts) > 2 else None)


@handles("GrantStmt")
def grant(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.GRANT)
    walk.effects |= _G
    for each in node.get("objects", ()):
        if "RangeVar" in each:
            walk.relation(each["RangeVar"], Access.DDL)
    walk.push_below("GrantStmt", node, scope, ("objects",))


_SAFE_LANGUAGES = frozenset({"sql", "plpgsql"})
# Trusted languages run inside the database's rights; C, internal and the untrusted ones with those of the server's process.
_TRUSTED = _SAFE_LANGUAGES | {"plperl", "pltcl", "plv8", "plrust", "pllua", "pljava"}


@handles("CreateFunctionStmt", "AlterFunctionStmt")
def create_function(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    walk.literal = True
    for name, option in [*options(node), *options(node, "actions")]:
        if name == "language" and (constant(option.get("arg", {})) or "").lower() not in _TRUSTED:
            walk.effects.add(Effect.PROGRAM)
    walk.push_below("AlterFunctionStmt" if "actions" in node else "CreateFunctionStmt", node, scope)


@handles("CreateTrigStmt")
def create_trigger(walk: Walk, node: Node, scope: Scope) -> None:
    walk.become(Kind.DDL)
    walk.effects.add(Effect.DDL)
    walk.relation(node.get("relation", {}), Access.DDL)
    walk.push_below("CreateTrigStmt", node, scope, ("relation", "funcname"))
