"""No statement makes the gateway say what a pseudonym stands for, though it translates them on their way to the server.

An attempt is a text with places for values. With the real values, on a direct connection, its answer shows one: so would the
gateway's translation, where it translated too much. With pseudonyms, through the gateway, no byte that arrives may show any.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.canary_forms_postgres import canaries
from tests.integration.test_masking_canary import WAYS, Attempts, framed, lines
from tests.integration.test_pseudonyms import CANARIES, EMAIL, MASKS, SCHEMA
from tests.integration.wiretap import tapped
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "pseudonym_attempts"
ATTEMPTS = lines("pseudonym_attempts.sql")
COLUMNS = ("ssn", "email", "code", "card", "born", "ref", "pay", "at", "seen", "woke", "tags", "parts")
NUMBERS = frozenset({"code", "card", "pay"})


def shown(data: bytes) -> list[bytes]:
    """Every form of a real value that is in there. Addresses end in names that are no secret here."""
    return canaries(data) + [canary for canary in CANARIES if canary in data]


class Filled:
    """A session, and what its client reads in the places of the attempts."""

    def __init__(self, attempts: Attempts) -> None:
        self.attempts = attempts
        result = attempts.connection.exec_(f"SELECT {', '.join(COLUMNS)} FROM people WHERE id = 3".encode())
        values = [result.get_value(0, place) for place in range(len(COLUMNS))]
        assert None not in values
        quoted = [
            value.decode() if name in NUMBERS else f"'{value.decode()}'"
            for name, value in zip(COLUMNS, values, strict=True)
            if value is not None
        ]
        self.places = dict(zip(COLUMNS, quoted, strict=True))

    def hear(self, attempt: str, way: str) -> list[bytes]:
        for name, value in self.places.items():
            attempt = attempt.replace(f"{{{name}}}", value)
        return shown(self.attempts.hear(framed(attempt), WAYS[way]))


@pytest.fixture(scope="module")
def database(postgres18: Server) -> Iterator[Server]:
    with psycopg.connect(postgres18.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(postgres18.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield postgres18
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


def session(dsn: str, port: int) -> Iterator[Filled]:
    with (
        tapped("127.0.0.1", port) as tap,
        psycopg.connect(dsn.format(port=tap.port), autocommit=True, sslmode="disable") as connection,
    ):
        connection.execute("SET statement_timeout = '5s'")
        yield Filled(Attempts(tap, connection.pgconn))


@pytest.fixture(scope="module")
def direct(database: Server) -> Iterator[Filled]:
    dsn = f"postgresql://{database.user}:{database.password}@127.0.0.1:{{port}}/{DBNAME}"
    yield from session(dsn, database.port)


@pytest.fixture(scope="module")
def through(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    plan = GatewayPlan(server=database, dbname=DBNAME, masks=MASKS, extra=EMAIL, wait_s=0.01)
    with running_gateway(plan, tmp_path_factory.mktemp("attempts")) as gateway:
        yield from session(f"postgresql://agent:agent-secret@127.0.0.1:{{port}}/{DBNAME}", gateway.port)


@pytest.mark.parametrize("way", WAYS)
def test_no_attempt_shows_what_a_pseudonym_stands_for(direct: Filled, through: Filled, way: str) -> None:
    silent = [attempt for attempt in ATTEMPTS if not direct.hear(attempt, way)]
    leaking = [(attempt, found) for attempt in ATTEMPTS if (found := through.hear(attempt, way))]
    assert leaking == []
    assert silent == [], "these do not leak directly, and prove nothing"


SHOWN = [
    "{v}", "({v})::text", "upper(({v})::text)", "{v} || ''", "ARRAY[{v}]", "to_jsonb({v})", "ROW({v})::text", "coalesce({c}, {v})",
    "nullif({c}, {v})", "CASE WHEN {c} = {v} THEN 'y' ELSE 'n' END", "CASE {c} WHEN {v} THEN ({v})::text END", "{c} = {v}",
    "format('%s', {v})", "({v})::text::int", "max({c}) OVER ()", "(SELECT x FROM (SELECT {v} AS x) i WHERE x = {c})", "id",
    "greatest({c}, {v})", "EXISTS (SELECT {v} WHERE {c} = {v})", "concat({c}, {v})", "current_query()", "s.x",
]  # fmt: skip
ASKED = [
    "{c} = {v}", "{v} = {c}", "{c} IN ({v})", "{c} = ANY (ARRAY[{v}])", "{c} IS NOT DISTINCT FROM {v}", "NOT ({c} <> {v})",
    "({c}, id) = ({v}, id)", "{c} = s.x", "{c} IN (SELECT {v})", "EXISTS (SELECT 1 FROM people z WHERE z.{c} = {v})",
    "{c} = {v} OR ({v})::text::int = 1", "coalesce({c} = {v}, false)", "{c} BETWEEN {v} AND {v}", "{c} = (SELECT {v})", "true",
]  # fmt: skip
FRAMES = [
    "SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "SELECT {s} FROM people JOIN (VALUES ({v}), ({v})) s(x) ON {a}",
    "WITH s(x) AS (SELECT {v}) SELECT {s} FROM people, s WHERE {a} ORDER BY 1",
    "SELECT {s} FROM people, LATERAL (SELECT {v} AS x WHERE {a}) s",
    "UPDATE people SET note = 'n' FROM (SELECT {v} AS x) s WHERE {a} RETURNING {s}",
    "COPY (SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}) TO STDOUT",
    "EXPLAIN VERBOSE SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "EXPLAIN (VERBOSE, COSTS off, FORMAT YAML) SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a}",
    "EXPLAIN (VERBOSE, FORMAT XML) UPDATE people SET note = 'n' FROM (SELECT {v} AS x) s WHERE {a} RETURNING {s}",
    "PREPARE zq AS SELECT {s} FROM people, (SELECT {v} AS x) s WHERE {a} ;; EXECUTE zq ;; EXPLAIN EXECUTE zq ;; DEALLOCATE zq",
    "CREATE TEMP TABLE zt AS SELECT {s} AS kept FROM people, (SELECT {v} AS x) s WHERE {a} ;; TABLE zt",
]


def generated(random: Random) -> str:
    column = random.choice(COLUMNS)
    text = random.choice(FRAMES).replace("{s}", ", ".join(random.sample(SHOWN, 2))).replace("{a}", random.choice(ASKED))
    return text.replace("{c}", column).replace("{v}", f"{{{column}}}")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**48), st.sampled_from(sorted(WAYS)))
def test_no_generated_statement_shows_what_a_pseudonym_stands_for(through: Filled, seed: int, way: str) -> None:
    assert through.hear(generated(Random(seed)), way) == []


def test_the_generator_makes_statements_that_would_show_it(direct: Filled) -> None:
    assert sum(bool(direct.hear(generated(Random(seed)), "simple")) for seed in range(100)) > 30
