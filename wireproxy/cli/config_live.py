"""What `config check --live` adds: the masks of the configuration, laid over the catalogs of its databases.

Of PostgreSQL: columns with copies that no mask covers (`rules.masking.copies`), and masks that match nothing. Where the gateway
runs, what inherited a mask counts as masked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import trio
from attrs import frozen

from rules.catalog import Catalog
from rules.masking import Move, compile_masks
from rules.masking.copies import Copies, copies
from rules.masking.marks import SYSTEM_SCHEMAS, glob, rules_for
from rules.model import Dialect, Identity
from wireproxy.cli.calls import Failed, call
from wireproxy.config.model import Config, Database
from wireproxy.dialects import DIALECTS
from wireproxy.exemptions import Inherited
from wireproxy.judgement.workers import Workers
from wireproxy.target import CatalogError

NOBODY = Identity("nobody")  # in no group: no mask excepts it
_SHOWN = 20  # columns of one name


@frozen
class LiveFinding:
    severity: str  # error, warning
    database: str
    message: str
    suggestion: str = ""


def live_findings(config: Config) -> Iterator[LiveFinding]:
    moves = _inherited(config.control_socket)
    for database in config.databases.values():
        if database.dialect is not Dialect.POSTGRES:
            continue
        try:
            catalog = _catalog(config, database)
        except CatalogError as error:
            yield LiveFinding("error", database.name, str(error))
            continue
        yield from _of_database(config, database, catalog, moves.get(database.name, ()))


def _catalog(config: Config, database: Database) -> Catalog:
    limits = config.limits
    workers = Workers(1, limits.judging_worker_bytes, limits.judging_s)
    target = DIALECTS[database.dialect].target(database, config, os.urandom(32), workers)
    return trio.run(target.bench, NOBODY).catalog


def _inherited(socket: Path) -> dict[str, Sequence[Move]]:
    try:
        found = call(socket, "masks.list", list[Inherited])
    except Failed:  # it does not run, or is not ours to ask
        return {}
    return {name: [each.move for each in found if each.database == name] for name in {each.database for each in found}}


def _of_database(config: Config, database: Database, catalog: Catalog, moves: Sequence[Move]) -> Iterator[LiveFinding]:
    name = database.name
    for rule in rules_for(config.masks, name, NOBODY):
        if not _matches(rule.column, catalog):
            suggestion = "names are compared as the server has them, with their schema"
            yield LiveFinding("warning", name, f"the mask {rule.column!r} matches no column", suggestion)
    policy = config.policies[database.policy]
    masks = compile_masks(config.masks, name, NOBODY, catalog, policy, os.urandom(32), moves)
    if masks is None:
        return
    namesakes = 0
    for found in copies(masks.world):
        namesakes += found.kind == "same name"
        if found.kind != "same name" or namesakes <= _SHOWN:
            yield LiveFinding("warning", name, *_words(found))
    if namesakes > _SHOWN:
        yield LiveFinding("warning", name, f"{namesakes - _SHOWN} more columns have the name of a masked one")


def _matches(column: str, catalog: Catalog) -> bool:
    pattern = glob(column)
    anywhere = pattern.pattern.startswith(".")  # means the users' tables
    return any(
        pattern.fullmatch(f"{relation.schema}.{relation.name}.{each.name}")
        for relation in catalog.relations.values()
        if not (anywhere and relation.schema in SYSTEM_SCHEMAS)
        for each in relation.columns
    )


def _words(found: Copies) -> tuple[str, str]:
    columns = _listed(found.columns) or "masked columns"
    into = _listed(found.into)
    match found.kind:
        case "trigger":
            return (
                f"the {found.name} of {found.of} copies {columns} into {into}, where no mask covers all that it may write",
                f"mask the columns of {into} that hold it; writes that fire the trigger are held",
            )
        case "unreadable trigger":
            return (
                f"the {found.name} of {found.of} may keep {columns} in ways that cannot be followed",
                "writes that fire it are held: name its tables in its function, without EXECUTE",
            )
        case "routine":
            return (
                f"the routine {found.name} copies {columns} into {into}, where no mask covers all that it may write",
                f"mask the columns of {into} that hold it",
            )
        case "same name":
            return f"{found.of}.{found.name} is not masked, though {columns} is", "mask it too, if it is a copy"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
