"""A snapshot of what the database holds, read over a side connection and handed to the pure code as a value.

Lookups go by (schema, name) as the server stores them. What is not in the snapshot is unknown, and unknown is dangerous.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import Factory, define, frozen

from rules.model import Volatility


@frozen
class CatalogColumn:
    name: str
    attribute: int  # from 1; Postgres's attnum, MySQL's ordinal_position
    type_oid: int = 0
    type_name: str = ""
    generated: str | None = None  # the expression of a generated column
    hidden: bool = False  # MySQL, MariaDB: INVISIBLE, so `*` does not show it


@frozen
class CatalogTrigger:
    """One that is switched on. Of Postgres, a rule for writes is one that has its own text instead of a function."""

    name: str
    events: frozenset[str]  # INSERT UPDATE DELETE TRUNCATE; of an event trigger: ddl_command_start, sql_drop …
    schema: str = ""  # of its function
    function: str = ""
    transition: bool = False  # it sees the rows of the statement as tables of their own
    rule: str | None = None  # CREATE RULE …
    body: str | None = None  # MySQL, MariaDB: what it does


@frozen
class CatalogReference:
    """Of Postgres: a foreign key of another table, as the table sees it that it refers to."""

    by: int  # OID of the table that has the key
    columns: tuple[str, ...]  # that it refers to
    held: tuple[str, ...]  # columns of the table that has it, one for each
    on_delete: str | None = None  # what a DELETE here does there: DELETE, UPDATE, or nothing
    on_update: str | None = None


@frozen
class CatalogForeign:
    """What a foreign table of postgres_fdw stands for, by the names that it has there."""

    schema: str
    table: str
    columns: tuple[str, ...]  # one for each column here


@frozen
class CatalogRelation:
    schema: str
    name: str
    kind: str  # Postgres's relkind: r table, v view, m materialized view, p partitioned, f foreign, S sequence, c composite
    oid: int = 0
    columns: tuple[CatalogColumn, ...] = ()
    definition: str | None = None  # of a view, a materialized view, a foreign table over this very database: its SELECT
    parents: tuple[int, ...] = ()  # OIDs it inherits from or is a partition of
    triggers: tuple[CatalogTrigger, ...] = ()
    references: tuple[CatalogReference, ...] = ()  # foreign keys of others to this table
    partition_key: tuple[str, ...] | None = None  # columns; None: not known, or not partitioned
    computed: str | None = (
        None  # where something of a row is computed when it is written: defaults, checks, conditions of triggers …
    )
    foreign: CatalogForeign | None = None  # None: none, or of another wrapper
    key: tuple[str, ...] = ()  # Postgres: columns of the primary key, if it is checked at once
    transactional: bool = True  # MySQL, MariaDB: whether its engine takes back what a statement that failed has written


@frozen
class CatalogFunction:
    schema: str
    name: str
    volatility: Volatility
    language: str
    kind: str = "f"  # f function, p procedure, a aggregate, w window, e event of MySQL's
    security_definer: bool = False
    body: str | None = None
    arguments: int = 0
    returns: str = ""  # format_type of the result; "SETOF " in front of a set
    columns: tuple[str, ...] = ()  # names of OUT and TABLE arguments
    extension: str | None = None  # the extension it came with
    types: tuple[str, ...] = ()  # names of users' types among its arguments and its result
    inputs: tuple[
        tuple[str, str], ...
    ] = ()  # Postgres: names (may be empty) and types of the arguments of users' routines, as format_type spells them
    defaults: str | None = None  # the expressions of arguments that a call may leave out, with commas between them


@define
class Catalog:
    """Built once and not changed; a newer one replaces it whole."""

    server_version: int = 0
    relations: dict[tuple[str, str], CatalogRelation] = Factory(dict)
    by_oid: dict[int, CatalogRelation] = Factory(dict)
    functions: dict[tuple[str, str], tuple[CatalogFunction, ...]] = Factory(dict)
    version: int = 0  # counts up with each snapshot of one database
    operators: dict[str, tuple[tuple[str, str], ...]] = Factory(
        dict
    )  # of users, by symbol: (schema, function) behind them
    # by a type's name in any schema: expressions that may be computed to make a value of it (checks of domains, casts)
    conversions: dict[str, tuple[str, ...]] = Factory(dict)
    closed: frozenset[str] = (
        frozenset()
    )  # schemas that the role has no USAGE of: in a search_path the server passes over them
    event_triggers: tuple[CatalogTrigger, ...] = ()  # that a change of definitions fires
    complete: bool = True  # False: some definitions could not be read, and count as unknown

    def found(self, name: str, search_path: Sequence[str]) -> list[CatalogRelation]:
        """What an unqualified name may mean: the first of that name, and those behind it as long as its schema may be closed."""
        found = []
        for schema in search_path:
            relation = self.relations.get((schema, name))
            if relation is not None:
                found.append(relation)
                if schema not in self.closed:
                    break
        return found

    def says_the_same_as(self, other: Catalog) -> bool:
        return (
            self.relations == other.relations
            and self.functions == other.functions
            and self.operators == other.operators
            and self.conversions == other.conversions
            and self.closed == other.closed
            and self.event_triggers == other.event_triggers
        )

    def named(self, name: str) -> Iterable[CatalogRelation]:
        """Every relation of that name in any schema: for whoever cannot be sure of the search_path."""
        return (relation for (_, found), relation in self.relations.items() if found == name)
