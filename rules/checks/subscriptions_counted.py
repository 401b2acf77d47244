"""The count of subscriptions that `pg_dump` asks for when it may not read them.

`pg_subscription` holds connection strings with passwords, so rules stop what names it. A role that is no superuser cannot read
these (the server refuses that column), and `pg_dump` run by one only counts, to warn that none are dumped. Nothing but that very
query is found here.
"""

from __future__ import annotations

from rules.model import Statement

# Spec: PostgreSQL 15 to 18, src/bin/pg_dump/pg_dump.c, getSubscriptions
_QUERY = "SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
_LONGEST = 400


def subscriptions_counted(statement: Statement, _batch: tuple[Statement, ...]) -> str | None:
    if statement.root != "SelectStmt" or len(statement.text) > _LONGEST:
        return None
    if " ".join(statement.text.split()) != _QUERY:
        return None
    return "it counts the subscriptions of this database"
