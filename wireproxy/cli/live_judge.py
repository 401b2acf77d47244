"""What `check --live` judges with: the catalog of a database of the configuration, and the masks that lie over it.

Read over a side connection, as the running gateway does. Masks are those of the configuration: what was unmasked for a time, and
columns that inherited a mask, are known to the gateway alone (`wireproxy unmask list`, `wireproxy masks`).
"""

from __future__ import annotations

import os
from pathlib import Path

import trio
from attrs import evolve

from rules.model import Dialect, Identity, Namespace
from rules.structuring import nearest
from wireproxy.cli.calls import Failed, find_config, load_config
from wireproxy.cli.dry_judge import Circumstances
from wireproxy.dialects import DIALECTS
from wireproxy.judgement.workers import Workers
from wireproxy.target import Bench, CatalogError


def live_bench(given: Circumstances, config_option: Path | None) -> tuple[Bench, Namespace]:
    """Raises Failed: no such database, or its catalog cannot be read."""
    if given.database is None:
        raise Failed("--live reads the catalog of a database of the configuration: name it with --database")
    path = find_config(config_option)
    config = load_config(path)
    database = config.databases.get(given.database)
    if database is None:
        raise Failed(f"there is no database {given.database!r} in {path}; {nearest(given.database, config.databases)}")
    identity = Identity(given.user, frozenset(given.groups))
    limits = config.limits
    workers = Workers(1, limits.judging_worker_bytes, limits.judging_s)
    # hashes and pseudonyms are not made here, so the gateway's own key is not needed
    target = DIALECTS[database.dialect].target(database, config, os.urandom(32), workers)
    try:
        bench = trio.run(target.bench, identity)
    except CatalogError as error:
        raise Failed(f"{error}") from None
    return bench, _namespace(given, database.dialect, database.dbname, database.user, bench)


def _namespace(given: Circumstances, dialect: Dialect, dbname: str, user: str, bench: Bench) -> Namespace:
    version = bench.catalog.server_version
    if dialect is Dialect.MYSQL:
        name = given.search_path or dbname
        mariadb = given.namespace().mariadb if given.server_version else version >= 100_000
        return Namespace(database=name, search_path=(name,), server_version=version, mariadb=mariadb, user=user)
    return evolve(given.namespace(), server_version=version, user=user)
