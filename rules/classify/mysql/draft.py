"""What is found while a statement is read, collected before it becomes a frozen `Statement`."""

from __future__ import annotations

from typing import Literal

from attrs import Factory, define

from rules.classify.mysql.words import word_set
from rules.model import Access, Effect, Function, Kind, NameEffect, Relation, Setting, Statement

Transaction = Literal["begin", "begin_write", "commit", "rollback", "savepoint", "release", "rollback_to", None]

# Tables of `mysql` that tell nothing about people or their statements. Everything else in there does.
_PLAIN_MYSQL = word_set(
    """
    time_zone time_zone_name time_zone_leap_second time_zone_transition time_zone_transition_type help_topic
    help_keyword help_category help_relation func plugin component
    """
)  # fmt: skip
# Views of information_schema with other sessions' statements, sampled values or pages of other people's rows.
_TELLING_INFORMATION = word_set(
    """
    processlist innodb_trx innodb_locks innodb_lock_waits column_statistics profiling optimizer_trace
    innodb_buffer_page innodb_ft_index_table innodb_ft_index_cache innodb_ft_deleted user_statistics
    client_statistics metadata_lock_info query_cache_info user_privileges user_attributes query_response_time
    sql_functions_history innodb_ft_being_deleted feedback applicable_roles wsrep_membership
    slave_status
    """
)  # fmt: skip
_PLAIN_PERFORMANCE = frozenset(
    {
        "global_variables", "session_variables", "global_status", "session_status", "variables_info",
        "persisted_variables", "performance_timers", "table_io_waits_summary_by_table", "keyring_component_status",
        "table_io_waits_summary_by_index_usage", "session_account_connect_attrs",
    }
)  # fmt: skip
_PLAIN_SYS = frozenset(
    {"version", "schema_unused_indexes", "schema_redundant_indexes", "schema_auto_increment_columns"}
)
SYSTEM_SCHEMAS = frozenset({"mysql", "information_schema", "performance_schema", "sys"})


def telling(schema: str, name: str) -> bool:
    """Whether a system table shows other people's statements, their accounts, or sampled values."""
    name = name.lower()
    match schema:
        case "mysql":
            return name not in _PLAIN_MYSQL
        case "information_schema":
            return name in _TELLING_INFORMATION
        case "performance_schema":
            return name not in _PLAIN_PERFORMANCE
        case "sys":
            return name not in _PLAIN_SYS
        case _:
            return False


@define
class Draft:
    """Filled by the readers of one statement; `finish` makes the value of it."""

    database: str | None = None  # what an unqualified name is looked up in, as far as it is known
    pinned: bool = False  # a USE in the same text came before: unqualified names are written out with the database
    effects: set[Effect] = Factory(set)
    relations: dict[Relation, None] = Factory(dict)
    functions: dict[Function, None] = Factory(dict)
    settings: list[Setting] = Factory(list)
    names: list[NameEffect] = Factory(list)
    has_where: bool | None = None
    trivial_where: bool = False
    transaction: Transaction = None
    returns_rows: bool = False
    literal: bool = False
    opaque: str | None = None
    inner: Statement | None = None

    def relation(self, schema: str | None, name: str, access: Access = Access.READ) -> None:
        """Notes a relation, and what it means to touch it."""
        home = (schema or self.database or "").lower()
        if home in SYSTEM_SCHEMAS:
            if schema is not None:
                schema = home
            if home == "information_schema":
                name = name.lower()  # its names are folded, all others are as the file system has them
            if access is not Access.READ:
                self.effects |= {Effect.ADMIN, Effect.GRANT} if home == "mysql" else {Effect.ADMIN}
            if telling(home, name):
                self.effects.add(Effect.SAMPLES)
        if schema is None and self.pinned:
            schema = self.database
        match access:
            case Access.READ:
                self.effects.add(Effect.READ)
            case Access.WRITE:
                self.effects.add(Effect.WRITE)
            case Access.DDL:
                self.effects.add(Effect.DDL)
        self.relations[Relation(schema, name, access)] = None

    def written(self, schema: str | None, name: str) -> None:
        """A relation that was noted as read turns out to be written to."""
        if schema is None and self.pinned:
            schema = self.database
        if schema is not None and schema.lower() in SYSTEM_SCHEMAS:
            schema = schema.lower()
        self.relations.pop(Relation(schema, name), None)
        self.relation(schema, name, Access.WRITE)

    def function(self, function: Function) -> None:
        self.functions[function] = None
        self.effects |= function.effects
        if not function.known:
            self.effects.add(Effect.UNKNOWN)

    def absorb(self, statement: Statement) -> None:
        """Takes over what another statement does, as when this one runs it."""
        self.effects |= statement.effects
        for relation in statement.relations:
            self.relations[relation] = None
        for function in statement.functions:
            self.functions[function] = None
        self.settings += statement.settings
        if statement.opaque is not None:
            self.opaque = self.opaque or statement.opaque
            self.effects.add(Effect.UNKNOWN)

    def finish(self, text: str, kind: Kind, root: str) -> Statement:
        return Statement(
            text=text,
            kind=kind,
            root=root,
            effects=frozenset(self.effects) or frozenset({Effect.READ}),
            relations=tuple(self.relations),
            functions=tuple(self.functions),
            has_where=self.has_where,
            trivial_where=self.trivial_where,
            opaque=self.opaque,
            settings=tuple(self.settings),
            names=tuple(self.names),
            transaction=self.transaction,
            returns_rows=self.returns_rows,
            literal=self.literal,
            inner=self.inner,
        )
