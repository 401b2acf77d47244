"""Functions over a row (computed fields, relations between tables) beside masked columns.

What reads none of them comes back as from the server; what shows one is masked, what asks about one is held.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.gateway import Gateway, GatewayPlan, running_gateway
from tests.support.servers import Server

pytestmark = pytest.mark.integration
DBNAME = "computed_fields"
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, first text, last text, email text, ssn text, text text);
INSERT INTO people SELECT i, 'f' || i, 'l' || i, 'canary' || i || '@x', 'canaryssn' || i, 'canarytext' || i
    FROM generate_series(1, 3) i;
CREATE TABLE orders (id int PRIMARY KEY, person int, note text, ssn text);
INSERT INTO orders SELECT i, i % 3 + 1, 'n' || i, 'plain' || i FROM generate_series(1, 6) i;
CREATE TABLE juniors (extra int) INHERITS (people);
CREATE TABLE sink (what text);
CREATE FUNCTION full_name(people) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1.first || ' ' || $1.last $$;
CREATE FUNCTION standard_name(p people) RETURNS text LANGUAGE sql IMMUTABLE RETURN p.first || ' ' || p.last;
CREATE FUNCTION atomic_name(p people) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT p.first || atomic_name.p.last; END;
CREATE FUNCTION volatile_name(person people) RETURNS text LANGUAGE sql AS 'SELECT person.first || person.last';
CREATE FUNCTION pl_name(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN p.first || '' '' || p.last; END';
CREATE FUNCTION greeting(people, text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $2 || full_name($1) $$;
CREATE FUNCTION orders_of(people) RETURNS SETOF orders LANGUAGE sql STABLE AS $$ SELECT * FROM orders WHERE person = $1.id $$;
CREATE FUNCTION buyer(orders) RETURNS SETOF people ROWS 1 LANGUAGE sql STABLE AS $$ SELECT * FROM people WHERE id = $1.person $$;
CREATE FUNCTION how_many(people) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM orders WHERE person = $1.id $$;
CREATE FUNCTION badge(people) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1.first || $1.ssn $$;
CREATE FUNCTION address(p people) RETURNS text LANGUAGE sql IMMUTABLE RETURN p.email;
-- made to leak
CREATE FUNCTION bare(people) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
CREATE FUNCTION as_json(p people) RETURNS json LANGUAGE sql AS 'SELECT row_to_json(p)';
CREATE FUNCTION picked(p people) RETURNS text LANGUAGE sql AS
    'SELECT string_agg(e.value, '','') FROM jsonb_each_text(to_jsonb(p)) e (key, value) WHERE e.key = ''ssn''';
CREATE FUNCTION all_of(p people) RETURNS SETOF people LANGUAGE sql AS 'SELECT p.*';
CREATE FUNCTION hidden(p people) RETURNS text LANGUAGE sql AS 'SELECT q.s FROM (SELECT (p).ssn AS s) q';
CREATE FUNCTION own(own people) RETURNS text LANGUAGE sql AS 'SELECT own.own.ssn';
CREATE FUNCTION shadowed(p people) RETURNS text LANGUAGE sql AS 'SELECT p.text FROM orders p LIMIT 1';
CREATE FUNCTION lateral_one(p people) RETURNS text LANGUAGE sql AS
    'SELECT x.v FROM orders o, LATERAL (SELECT p.ssn AS v) x LIMIT 1';
CREATE FUNCTION deep1(people) RETURNS text LANGUAGE sql AS 'SELECT badge($1)';
CREATE FUNCTION deep2(people) RETURNS text LANGUAGE sql AS 'SELECT deep1($1)';
CREATE FUNCTION deep3(people) RETURNS text LANGUAGE sql AS 'SELECT deep2($1)';
CREATE FUNCTION deep4(people) RETURNS text LANGUAGE sql AS 'SELECT deep3($1)';
CREATE FUNCTION second(a people, b people) RETURNS text LANGUAGE sql AS 'SELECT (SELECT b.ssn)';
CREATE FUNCTION pl_bare(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN p; END';
CREATE FUNCTION pl_alias(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'DECLARE q ALIAS FOR $1; BEGIN RETURN q.ssn; END';
CREATE FUNCTION pl_copy(p people) RETURNS text LANGUAGE plpgsql STABLE AS
    'DECLARE q people := p; BEGIN RETURN p.first || q.ssn; END';
CREATE FUNCTION pl_number(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN p.first || $1.ssn; END';
CREATE FUNCTION pl_spaced(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN p . /* p.first */ ssn; END';
CREATE FUNCTION pl_quoted(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN "p"."ssn"; END';
CREATE FUNCTION pl_case(p people) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN P.SSN; END';
CREATE FUNCTION pl_text(p people) RETURNS text LANGUAGE plpgsql STABLE AS
    'DECLARE r text; BEGIN EXECUTE ''SELECT ($1).s'' || ''sn'' INTO r USING p; RETURN r; END';
CREATE FUNCTION pl_table(p people) RETURNS text LANGUAGE plpgsql STABLE AS
    'BEGIN RETURN (SELECT x.ssn FROM people x WHERE x.id = p.id); END';
CREATE FUNCTION keeps(p people) RETURNS text LANGUAGE sql AS
    'WITH kept AS (INSERT INTO sink VALUES (p.ssn) RETURNING what) SELECT what FROM kept';
CREATE FUNCTION asks(p people) RETURNS bool LANGUAGE sql STABLE AS 'SELECT p.ssn LIKE ''canaryssn1%''';
CREATE FUNCTION begins(p people, t text) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT 1 WHERE p.ssn > t';
CREATE FUNCTION divides(p people) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1 / (length(p.ssn) - 10)';
CREATE FUNCTION ordered(p people) RETURNS SETOF text LANGUAGE sql STABLE AS
    'SELECT o.note FROM orders o ORDER BY CASE WHEN p.ssn > o.note THEN 1 ELSE 2 END LIMIT 1';
"""
AS_IT_IS = [
    "SELECT full_name(people) FROM people ORDER BY id", "SELECT people.full_name FROM people ORDER BY id",
    "SELECT p.id, full_name(p), p.standard_name, atomic_name(p), volatile_name(p), pl_name(p) FROM people p ORDER BY 1",
    "SELECT upper(p.full_name) || '!' FROM people p WHERE p.full_name LIKE 'f%' ORDER BY p.full_name",
    "SELECT greeting(p, 'hello ') FROM people p ORDER BY 1", "SELECT how_many(p) FROM people p ORDER BY p.id",
    "SELECT p.id, o.* FROM people p, orders_of(p) o ORDER BY o.id",
    "SELECT p.first, count(o.id) FROM people p LEFT JOIN LATERAL orders_of(p) o ON true GROUP BY p.id, p.first ORDER BY p.id",
    "SELECT o.id, b.first FROM orders o, buyer(o) b ORDER BY o.id", "SELECT (orders_of(p)).note FROM people p ORDER BY 1",
    "SELECT x.full_name FROM (SELECT full_name(p) FROM people p) x ORDER BY 1",
    "SELECT full_name(r) FROM (SELECT p AS r FROM people p) x ORDER BY 1",
]  # fmt: skip
SHOWS = [
    "SELECT badge(p) FROM people p", "SELECT p.badge FROM people p", "SELECT p.address FROM people p",
    "SELECT bare(p) FROM people p",
    "SELECT as_json(p) FROM people p", "SELECT p.picked FROM people p", "SELECT * FROM people p, all_of(p) a",
    "SELECT upper(a.ssn) FROM people p, all_of(p) a", "SELECT hidden(p) FROM people p", "SELECT own(p) FROM people p",
    "SELECT shadowed(p) FROM people p", "SELECT lateral_one(p) FROM people p", "SELECT deep4(p), deep2(p) FROM people p",
    "SELECT second(p, p) FROM people p", "SELECT pl_bare(p) FROM people p", "SELECT pl_alias(p) FROM people p",
    "SELECT pl_copy(p) FROM people p", "SELECT pl_number(p) FROM people p", "SELECT pl_spaced(p) FROM people p",
    "SELECT pl_quoted(p) FROM people p", "SELECT pl_case(p) FROM people p", "SELECT pl_text(p) FROM people p",
    "SELECT pl_table(p) FROM people p", "SELECT keeps(p) FROM people p", "SELECT upper(b.ssn) FROM orders o, buyer(o) b",
    "SELECT full_name(ROW(1, p.ssn, 'x', 'y', 'z', 't')) FROM people p",
    "SELECT full_name(ROW(1, p.ssn, 'x', 'y', 'z', 't')::people) FROM people p",
    "SELECT badge(p) FROM people AS p (id, ssn, last, email, first)",
    "SELECT badge(j) FROM juniors j UNION ALL SELECT badge(p) FROM people p",
    "SELECT full_name(b) FROM (SELECT ROW(1, ssn, ssn, '', '', '')::people AS b FROM people) x",
    "SELECT full_name(jsonb_populate_record(NULL::people, jsonb_build_object('first', ssn, 'last', ''))) FROM people",
    "SELECT full_name(CASE WHEN true THEN ROW(1, ssn, ssn, '', '', '')::people ELSE people END) FROM people",
]  # fmt: skip
ASKS = [
    "SELECT asks(p) FROM people p", "SELECT id FROM people p WHERE asks(p)", "SELECT p.id FROM people p, begins(p, 'canaryssn2')",
    "SELECT p.id, divides(p) FROM people p", "SELECT p.id, ordered(p) FROM people p", "SELECT id FROM people p ORDER BY badge(p)",
    "SELECT id FROM people p WHERE badge(p) = 'f1canaryssn1'",
]  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", "postgres18"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    with psycopg.connect(found.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DBNAME}")
    with psycopg.connect(found.dsn(DBNAME), autocommit=True) as connection:
        connection.execute(SCHEMA)
    return found


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    masks = {"public.people.ssn": "redact", "public.people.email": "email", "public.people.text": "redact"}
    plan = GatewayPlan(
        server=server, dbname=DBNAME, masks=masks, wait_s=0, users=("agent", "other", "third")
    )  # 20 requests each
    with running_gateway(plan, tmp_path_factory.mktemp("computed")) as found:
        yield found


def answer(dsn: str, sql: str, result_format: int) -> tuple[object, ...]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        result = connection.pgconn.exec_params(sql.encode(), None, None, None, result_format)
        width, height = range(result.nfields), range(result.ntuples)
        rows = [[result.get_value(row, place) for place in width] for row in height]
        return result.status, result.error_message, [result.ftype(place) for place in width], rows


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
@pytest.mark.parametrize("sql", AS_IT_IS)
def test_what_reads_no_masked_field_comes_back_as_from_the_server(
    server: Server, gateway: Gateway, sql: str, result_format: int
) -> None:
    direct = answer(server.dsn(DBNAME), sql, result_format)
    assert b"canary" not in str(direct).encode()
    assert answer(gateway.dsn(), sql, result_format) == direct


@pytest.mark.parametrize("result_format", [0, 1], ids=["text", "binary"])
def test_no_function_over_a_row_shows_a_masked_field(server: Server, gateway: Gateway, result_format: int) -> None:
    silent = [sql for sql in SHOWS if "canary" not in str(answer(server.dsn(DBNAME), sql, result_format)).lower()]
    shown = [sql for sql in SHOWS if "canary" in str(answer(gateway.dsn(), sql, result_format)).lower()]
    assert silent == []
    assert shown == []


@pytest.mark.parametrize("sql", ASKS)
def test_a_function_that_asks_about_a_masked_field_is_held(gateway: Gateway, sql: str) -> None:
    assert 'held by rule "mask"' in str(answer(gateway.dsn("other"), sql, 0)[1])


def test_a_masked_field_in_a_computed_one_is_masked_and_not_held(gateway: Gateway) -> None:
    for sql in ("SELECT badge(people) FROM people", "SELECT p.address FROM people p", "SELECT deep1(p) FROM people p"):
        _, _, _, rows = answer(gateway.dsn("third"), sql, 0)
        assert rows == [[b"***"]] * 3
    assert answer(gateway.dsn("third"), "SELECT o.id, b.ssn, b.email FROM orders o, buyer(o) b WHERE o.id = 1", 0)[
        3
    ] == [[b"1", b"***", b"c***@x"]]


def test_a_function_that_this_transaction_replaced_is_given_no_row_with_masked_fields(gateway: Gateway) -> None:
    with psycopg.connect(gateway.dsn("third"), autocommit=True) as agent:
        agent.execute("BEGIN")
        agent.execute("CREATE FUNCTION unrelated() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute("SELECT full_name(people) FROM people")
        agent.execute("ROLLBACK")
