"""What `config check --live` adds: the masks of the configuration, laid over the catalogs of its databases.

Columns with copies that no mask covers (`rules.masking.copies`), and masks that match nothing. Where the gateway runs, what
inherited a mask counts as masked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import trio
from attrs import frozen

from rules.masking import Copies, MaskSet, Move
from rules.model import Identity
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
        try:
            masks = _masks(config, database, moves.get(database.name, ()))
        except CatalogError as error:
            yield LiveFinding("error", database.name, str(error))
            continue
        if masks is not None:
            yield from _of_database(database.name, masks)


def _masks(config: Config, database: Database, moves: Sequence[Move]) -> MaskSet | None:
    limits = config.limits
    workers = Workers(1, limits.judging_worker_bytes, limits.judging_s)
    target = DIALECTS[database.dialect].target(database, config, os.urandom(32), workers)
    catalog = trio.run(target.refresh)
    return target.masks(NOBODY, catalog, config.policies[database.policy], moves)


def _inherited(socket: Path) -> dict[str, Sequence[Move]]:
    try:
        found = call(socket, "masks.list", list[Inherited])
    except Failed:  # it does not run, or is not ours to ask
        return {}
    return {name: [each.move for each in found if each.database == name] for name in {each.database for each in found}}


def _of_database(name: str, masks: MaskSet) -> Iterator[LiveFinding]:
    for column in masks.unmatched:
        suggestion = "names are compared as the server has them, with their schema"
        yield LiveFinding("warning", name, f"the mask {column!r} matches no column", suggestion)
    namesakes = 0
    for found in masks.copies():
        namesakes += found.kind == "same name"
        if found.kind != "same name" or namesakes <= _SHOWN:
            yield LiveFinding("warning", name, *_words(found))
    if namesakes > _SHOWN:
        yield LiveFinding("warning", name, f"{namesakes - _SHOWN} more columns have the name of a masked one")


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
        case "routine" | "event":
            return (
                f"the {found.kind} {found.name} copies {columns} into {into}, where no mask covers all that it may write",
                f"mask the columns of {into} that hold it",
            )
        case "same name":
            return f"{found.of}.{found.name} is not masked, though {columns} is", "mask it too, if it is a copy"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
