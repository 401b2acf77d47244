"""No trigger puts a masked value where no mask covers it by a write that is not held: MariaDB and MySQL are asked what it did."""

from __future__ import annotations

from contextlib import closing, suppress
from random import Random
from typing import Any

import pymysql
import pytest
from attrs import evolve

from rules.catalog import Catalog, CatalogTrigger
from rules.classify.mysql import classify
from rules.masking.mysql.mask_set import compile_mysql_masks
from rules.model import Identity, Namespace
from rules.policy import MaskRule, Policy
from tests.integration.mysql_gateway import direct
from tests.integration.mysql_triggers import ROWS, SCHEMA, UNMASKED, WRITES, Triggers, made
from tests.support.servers import Server
from wireproxy.mysql.catalog import read

pytestmark = pytest.mark.integration
DBNAME = "wp_mask_triggers"
MASKS = (MaskRule("*.secret", "redact"), MaskRule("*.secretn", "redact"))
TRIGGERS = 60


@pytest.mark.parametrize("family", ["mariadb", "mysql"])
def test_what_a_trigger_copies_is_held(request: pytest.FixtureRequest, family: str) -> None:
    server: Server = request.getfixturevalue(family)
    random = Random(1)
    missed, held, passed = [], 0, 0
    with closing(direct(server, "mysql")) as connection, connection.cursor() as cursor:
        for statement in (f"DROP DATABASE IF EXISTS {DBNAME}", f"CREATE DATABASE {DBNAME}", f"USE {DBNAME}", *SCHEMA):
            cursor.execute(statement)
        with closing(direct(server, DBNAME)) as other:
            catalog = read(other, 1)
        for _ in range(TRIGGERS):
            trigger = made(random)
            body = trigger.body()
            for write in WRITES[trigger.event]:
                copied = runs(cursor, trigger, body, write)
                if copied is None:
                    continue
                stopped = judged(catalog, trigger.event, body, write, family == "mariadb")
                held += copied and stopped
                passed += not stopped
                if copied and not stopped:
                    missed.append((write, trigger.timing, trigger.event, body))
        cursor.execute(f"DROP DATABASE {DBNAME}")
    assert missed == []
    assert held > 40
    assert passed > 10, "nothing is proved where every write is held"


def runs(cursor: Any, trigger: Triggers, body: str, write: str) -> bool | None:
    """Whether a masked value is where no mask covers it by now; None: the server does not run it."""
    cursor.execute("DROP TRIGGER IF EXISTS made")
    for statement in ROWS:
        cursor.execute(statement)
    with suppress(pymysql.err.MySQLError):
        cursor.execute(f"CREATE TRIGGER made {trigger.timing} {trigger.event} ON t FOR EACH ROW {body}")
        cursor.execute(write)
        seen = ""
        for question in UNMASKED:
            cursor.execute(question)
            seen += repr(cursor.fetchall()).lower()
        return "canary" in seen or "77700" in seen
    return None


def judged(catalog: Catalog, event: str, body: str, write: str, mariadb: bool) -> bool:
    """Whether the write is held."""
    table = catalog.relations[DBNAME, "t"]
    table = evolve(table, triggers=(CatalogTrigger("made", frozenset({event}), body=body),))
    relations = {key: each for key, each in catalog.relations.items() if key[0] == DBNAME} | {(DBNAME, "t"): table}
    there = evolve(catalog, relations=relations)
    masks = compile_mysql_masks(MASKS, DBNAME, Identity("agent"), there, Policy("open", ()), b"key")
    assert masks is not None
    namespace = Namespace((DBNAME,), database=DBNAME, server_version=catalog.server_version, mariadb=mariadb)
    (found,) = masks.examine(write, classify(write, namespace, there), namespace)
    return bool(found.findings)
